//! Webhook endpoints as messages.

use crate::model::{self, WebhookFailureKind as Kind};
use crate::proto::scimd::v1::{
    WebhookDelivery, WebhookEndpoint, WebhookFailure, WebhookPause, WebhookSecret,
};

/// An endpoint with its secrets, and the newest event of its organization.
pub fn endpoint(
    endpoint: model::WebhookEndpoint,
    secrets: impl Iterator<Item = model::WebhookSecret>,
    newest: u64,
) -> WebhookEndpoint {
    let delivery = endpoint.delivery;
    WebhookEndpoint {
        id: endpoint.id.to_string(),
        organization_id: endpoint.organization_id.to_string(),
        url: endpoint.url,
        description: endpoint.description,
        created_at: Some(endpoint.created_at.into()),
        updated_at: Some(endpoint.updated_at.into()),
        secrets: secrets.map(Into::into).collect(),
        delivery: Some(WebhookDelivery {
            delivered_number: delivery.delivered,
            newest_number: newest,
            last_success_at: delivery.last_success_at.map(Into::into),
            last_failure: delivery.last_failure.map(Into::into),
            failing_since: delivery.failing_since.map(Into::into),
            next_attempt_at: delivery.next_attempt_at.map(Into::into),
            pause: delivery.pause.map(|(at, reason)| WebhookPause {
                paused_at: Some(at.into()),
                reason: reason.number(),
            }),
        }),
    }
}

impl From<model::WebhookSecret> for WebhookSecret {
    fn from(secret: model::WebhookSecret) -> Self {
        Self {
            id: secret.id.to_string(),
            created_at: Some(secret.created_at.into()),
            expires_at: secret.expires_at.map(Into::into),
        }
    }
}

impl From<model::WebhookFailure> for WebhookFailure {
    fn from(failure: model::WebhookFailure) -> Self {
        Self {
            failed_at: Some(failure.at.into()),
            event_number: failure.number,
            kind: failure.kind.number(),
            http_status: failure.status.map(i32::from).unwrap_or_default(),
            message: text(failure),
        }
    }
}

/// What went wrong, for people.
fn text(failure: model::WebhookFailure) -> String {
    let text = match (failure.kind, failure.status) {
        (Kind::Status, Some(status @ 300..400)) => {
            return format!("the receiver answered {status}; redirects are not followed");
        }
        (Kind::Status, Some(status)) => return format!("the receiver answered {status}"),
        (Kind::Status, None) => "the receiver did not answer 2xx",
        (Kind::Timeout, _) => "the receiver did not answer in time",
        (Kind::Name, _) => "the name of the host has no address",
        (Kind::Address, _) => {
            "the host has only addresses of private networks or of the server's own machine"
        }
        (Kind::Connection, _) => "there was no connection, or it was closed before the answer",
        (Kind::Tls, _) => "the host's certificate or TLS is not accepted",
        (Kind::Protocol, _) => "what the receiver answered is not HTTP, or has too large a head",
        (Kind::Url, _) => "the URL is not allowed: it must begin with https://",
        (Kind::Secret, _) => "the server has no key that opens the endpoint's secrets",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use crate::model;
    use crate::proto::scimd::v1::{WebhookFailureKind, WebhookPauseReason};

    #[test]
    fn kinds_and_reasons_have_the_numbers_and_names_of_the_contract() {
        for number in 1..100 {
            let ours = model::WebhookFailureKind::from_number(number.into());
            let theirs = WebhookFailureKind::try_from(number).ok();
            assert_eq!(
                ours.map(|kind| format!("{kind:?}")),
                theirs.map(|kind| format!("{kind:?}"))
            );
            let ours = model::WebhookPause::from_number(number.into());
            let theirs = WebhookPauseReason::try_from(number).ok();
            assert_eq!(ours.map(|why| format!("{why:?}")), theirs.map(|why| format!("{why:?}")));
        }
    }
}
