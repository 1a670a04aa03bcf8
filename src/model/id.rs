//! Identifiers. One type for each kind of thing, so that none can be passed
//! for another.

use std::{fmt, str::FromStr};

use uuid::{Builder, Uuid};

use super::Instant;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new `UUIDv7` (RFC 9562) of this instant and these random
            /// bytes: ids made later sort later.
            #[must_use]
            pub fn new(now: Instant, random: [u8; 10]) -> Self {
                Self(Builder::from_unix_timestamp_millis(now.as_unix_millis(), &random).into_uuid())
            }

            /// The id as the UUID that it is.
            #[must_use]
            pub fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        /// Reads the text form with dashes, in either case.
        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // The parser also takes braces, URNs and no dashes: forms that
                // would make two different strings of one id.
                let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
                uuid.map(Self).ok_or(InvalidId)
            }
        }

        /// Writes lower-case hexadecimal with dashes.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// Names a customer of the product. Made by the product, not by us.
    OrganizationId
    /// Names a `ScimConfiguration`.
    ConfigurationId
    /// Names a single sign-on configuration. Made by the product, not by us.
    SsoConfigurationId
    /// Names an API key, and says nothing of its secret.
    ApiKeyId
    /// Names a provisioned user.
    UserId
    /// Names a provisioned group.
    GroupId
    /// Names an account of an organization's application. Made by us.
    AccountId
    /// Names one request in answers and in the log.
    RequestId
    /// Names a webhook endpoint.
    WebhookEndpointId
    /// Names a secret of a webhook endpoint, and says nothing of what it is.
    WebhookSecretId
}

/// A text that is not a UUID of 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID such as 0195f2a3-0f5c-7cc3-a1b2-4c5d6e7f8091")]
pub struct InvalidId;
