//! Webhooks: where the feed of an organization is sent, and how that goes.

use std::time::Duration;

use super::{Instant, OrganizationId, WebhookEndpointId, WebhookSecretId};

/// The most endpoints that an organization may have.
pub const WEBHOOK_ENDPOINTS: u64 = 20;
/// The most secrets that an endpoint may have.
pub const WEBHOOK_SECRETS: usize = 5;
/// How long an endpoint may fail before it is paused: 3 days.
pub const WEBHOOK_PATIENCE: Duration = Duration::from_hours(3 * 24);

/// The first wait for another attempt; each one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_mins(30);

/// Where to send the events of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Its id.
    pub id: WebhookEndpointId,
    /// Whose events it gets.
    pub organization_id: OrganizationId,
    /// Where requests are sent.
    pub url: String,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created_at: Instant,
    /// When somebody last changed it.
    pub updated_at: Instant,
    /// How delivery goes.
    pub delivery: WebhookDelivery,
}

/// What a new endpoint shall be.
#[derive(Clone, Debug)]
pub struct NewWebhookEndpoint {
    /// Whose events it shall get.
    pub organization_id: OrganizationId,
    /// Where requests shall be sent.
    pub url: String,
    /// For people.
    pub description: String,
    /// The number behind which to begin.
    pub after: u64,
}

/// What shall be different about an endpoint; `None`: nothing.
#[derive(Clone, Debug, Default)]
pub struct WebhookEndpointChange {
    /// Where requests are sent.
    pub url: Option<String>,
    /// For people.
    pub description: Option<String>,
}

/// A secret of an endpoint, without what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookSecret {
    /// Its id.
    pub id: WebhookSecretId,
    /// When it was made.
    pub created_at: Instant,
    /// From when on nothing is signed with it.
    pub expires_at: Option<Instant>,
}

/// How the delivery to an endpoint goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// The number of the newest event that was taken.
    pub delivered: u64,
    /// When an event was last taken.
    pub last_success_at: Option<Instant>,
    /// The last attempt that failed.
    pub last_failure: Option<WebhookFailure>,
    /// Since when every attempt failed.
    pub failing_since: Option<Instant>,
    /// When to try again.
    pub next_attempt_at: Option<Instant>,
    /// Since when and why nothing is sent.
    pub pause: Option<(Instant, WebhookPause)>,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookFailure {
    /// When.
    pub at: Instant,
    /// The number of the event.
    pub number: u64,
    /// What went wrong.
    pub kind: WebhookFailureKind,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
}

macro_rules! numbered {
    ($(#[$comment:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $number:literal)+ }) => {
        $(#[$comment])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$each])* $variant = $number,)+
        }

        impl $name {
            /// The one of this number.
            #[must_use]
            pub const fn from_number(number: i64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Its number.
            #[must_use]
            pub const fn number(self) -> i32 {
                self as i32
            }
        }
    };
}

numbered! {
    /// What went wrong with an attempt. The numbers are stored, and those of the
    /// contract.
    WebhookFailureKind {
        /// The answer was not 2xx.
        Status = 1
        /// There was no answer in time.
        Timeout = 2
        /// The host has no address.
        Name = 3
        /// The host has only addresses that nothing may be sent to.
        Address = 4
        /// No connection, or it was closed before the answer.
        Connection = 5
        /// The host could not prove who it is.
        Tls = 6
        /// What answered does not speak HTTP.
        Protocol = 7
        /// The URL is not allowed any more.
        Url = 8
        /// No key opens the secrets.
        Secret = 9
    }
}

numbered! {
    /// Why nothing is sent to an endpoint. The numbers are stored, and those of
    /// the contract.
    WebhookPause {
        /// Somebody asked for it.
        Requested = 1
        /// Every attempt of [`WEBHOOK_PATIENCE`] failed.
        Failing = 2
        /// It said that it is gone.
        Gone = 3
        /// What was to be sent next is no longer kept.
        EventsExpired = 4
    }
}

/// How long to wait after so many failures, one after the other: twice as long
/// each time, up to half an hour. `chance` takes up to a fifth from that or adds
/// it, so that those who failed together do not come back together.
#[must_use]
pub fn webhook_wait(failures: u32, chance: u8) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(20));
    let wait = doubled.min(LONGEST_WAIT);
    wait * 4 / 5 + wait * u32::from(chance) * 2 / (5 * 255)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_is_within_a_fifth_of_its_place_in_the_sequence(failures: u32, chance: u8) {
            let place = match failures {
                0 | 1 => 1,
                2..=11 => 1 << (failures - 1),
                _ => 1_800,
            }.min(1_800);
            let place = Duration::from_secs(place);
            let wait = webhook_wait(failures, chance);
            prop_assert!(wait >= place * 4 / 5 && wait <= place * 6 / 5, "{:?}", wait);
        }
    }
}
