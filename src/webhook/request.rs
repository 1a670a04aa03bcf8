//! One request to an endpoint, and what came of it.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use tokio::time::timeout;

use super::connect::{Connector, TlsConnector, Unconnected};
use crate::model::{InvalidWebhookUrl, WebhookFailureKind as Kind, WebhookPolicy, WebhookUrl};
use crate::settings::WebhookSettings;

/// How much of the head of an answer is taken.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;
/// How much of the body of an answer is read, so that the connection may be used
/// again, and for how long. What is in it does not matter.
const BODY_BYTES: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_millis(500);

/// What is sent of an event.
pub struct Message {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`, in seconds since 1970.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signatures: String,
    /// The event.
    pub body: Bytes,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What went wrong.
    pub kind: Kind,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
}

/// Sends requests to one endpoint, and keeps the connection from one to the next.
/// Follows no redirect and takes no proxy from the environment.
pub struct Sender {
    client: Client<TlsConnector, Full<Bytes>>,
    policy: WebhookPolicy,
    timeout: Duration,
}

/// Makes senders. What they have in common is how they connect.
pub struct Senders {
    connector: TlsConnector,
    policy: WebhookPolicy,
    timeout: Duration,
}

impl Senders {
    /// Of such as trust `roots` alone.
    pub fn new(settings: &WebhookSettings, roots: RootCertStore) -> Self {
        let connector = Connector {
            allow_private: settings.policy.allow_private,
            timeout: settings.connect_timeout,
        };
        let connector = connector.with_tls(roots);
        Self { connector, policy: settings.policy, timeout: settings.timeout }
    }

    /// One for an endpoint's turn. Its connection ends with it: there are as many as
    /// deliveries, however many endpoints there are.
    pub fn sender(&self) -> Sender {
        let client = Client::builder(TokioExecutor::new())
            .http1_max_buf_size(HEAD_BYTES)
            .http1_max_headers(HEADERS)
            .pool_max_idle_per_host(1)
            .build(self.connector.clone());
        Sender { client, policy: self.policy, timeout: self.timeout }
    }
}

impl Sender {
    /// Sends a message, and is done when it has been answered with 2xx.
    pub async fn send(&self, url: &str, message: Message) -> Result<(), Failed> {
        let failed = |kind| Failed { kind, status: None };
        // What an operator has forbidden since the URL was entered.
        let url = WebhookUrl::parse(url, self.policy).map_err(|invalid| {
            failed(match invalid {
                InvalidWebhookUrl::Address => Kind::Address,
                InvalidWebhookUrl::Form | InvalidWebhookUrl::Scheme(_) => Kind::Url,
            })
        })?;
        let request = Request::post(url.as_str())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, concat!("scimd/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", message.signatures)
            .body(Full::new(message.body))
            .map_err(|_| failed(Kind::Url))?;
        let answer = timeout(self.timeout, self.client.request(request)).await;
        let answer = answer.map_err(|_elapsed| failed(Kind::Timeout))?;
        let answer = answer.map_err(|error| failed(kind(&error)))?;
        let status = answer.status();
        discard(answer.into_body()).await;
        if status.is_success() {
            Ok(())
        } else {
            Err(Failed { kind: Kind::Status, status: Some(status.as_u16()) })
        }
    }
}

impl Failed {
    /// Whether the receiver says that it is no more.
    pub fn is_gone(self) -> bool {
        self.status == Some(StatusCode::GONE.as_u16())
    }
}

/// Reads what is small and soon there; else the connection is given up.
async fn discard(body: Incoming) {
    let _ = timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES).collect()).await;
}

/// What lies at the bottom of an error.
fn kind(error: &legacy::Error) -> Kind {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(unconnected) = error.downcast_ref::<Unconnected>() {
            return match unconnected {
                Unconnected::Name(_) => Kind::Name,
                Unconnected::Address => Kind::Address,
                Unconnected::Timeout => Kind::Timeout,
                Unconnected::Refused(_) => Kind::Connection,
            };
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.is_parse()
        {
            return Kind::Protocol;
        }
        if error.is::<rustls::Error>() {
            return Kind::Tls;
        }
        // What is within one of these is not its source, but its source's.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    Kind::Connection
}

#[cfg(test)]
mod tests;
