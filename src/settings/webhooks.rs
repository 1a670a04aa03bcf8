//! What concerns webhooks, for whoever sends them.

use std::time::Duration;

use super::{SecretKeys, Settings};
use crate::model::WebhookPolicy;

/// See the settings of the same names.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// What secrets are kept with.
    pub keys: Option<SecretKeys>,
    /// Where webhooks may point.
    pub policy: WebhookPolicy,
    /// Until there is a connection.
    pub connect_timeout: Duration,
    /// Until there is an answer.
    pub timeout: Duration,
    /// How many endpoints are delivered to at the same time.
    pub deliveries: usize,
    /// How long one of them is delivered to, while others may wait for their turn.
    pub turn: Duration,
}

impl Settings {
    /// What concerns webhooks.
    #[must_use]
    pub fn webhooks(&self) -> WebhookSettings {
        WebhookSettings {
            keys: self.webhook_secret_key.clone(),
            policy: WebhookPolicy {
                allow_http: self.webhook_allow_http,
                allow_private: self.webhook_allow_private,
            },
            connect_timeout: self.webhook_connect_timeout,
            timeout: self.webhook_timeout,
            deliveries: 256,
            turn: Duration::from_secs(10),
        }
    }
}
