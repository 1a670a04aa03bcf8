//! SCIM configurations: one identity provider's way into one organization.

use std::time::Duration;

use super::{ConfigurationId, Instant, OrganizationId, SsoConfigurationId};

/// A SCIM configuration as it is stored. Its token is known only by hash and
/// is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Ours.
    pub id: ConfigurationId,
    /// Who owns it, for ever.
    pub organization_id: OrganizationId,
    /// At most 128 characters, possibly none.
    pub name: String,
    /// Whether its token opens the SCIM server.
    pub enabled: bool,
    /// The sign-on configuration that it belongs to, if it is linked to one.
    pub sso_configuration_id: Option<SsoConfigurationId>,
    /// Whether a provisioned user may be linked to an account by an email that
    /// the identity provider did not mark as verified.
    pub allow_unverified_email_account_linking: bool,
    /// From when on the present token is refused.
    pub token_expires_at: Instant,
    /// When it was made.
    pub created_at: Instant,
    /// When it, or its token, last changed.
    pub updated_at: Instant,
}

/// What the caller says of a configuration to be made.
#[derive(Clone, Debug)]
pub struct NewConfiguration {
    /// The owner.
    pub organization_id: OrganizationId,
    /// At most 128 characters.
    pub name: String,
    /// The sign-on configuration to link it to.
    pub sso_configuration_id: SsoConfigurationId,
    /// See [`Configuration::allow_unverified_email_account_linking`].
    pub allow_unverified_email_account_linking: bool,
    /// How long its first token, and each later one made without a word of its
    /// own, is valid.
    pub token_lifetime: TokenLifetime,
}

/// New values for the fields that shall change; `None` leaves a field alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigurationChange {
    /// A new name.
    pub name: Option<String>,
    /// On or off.
    pub enabled: Option<bool>,
    /// `Some(None)` unlinks.
    pub sso_configuration_id: Option<Option<SsoConfigurationId>>,
    /// See [`Configuration::allow_unverified_email_account_linking`].
    pub allow_unverified_email_account_linking: Option<bool>,
}

impl ConfigurationChange {
    /// What of it is not so already.
    #[must_use]
    pub fn beyond(self, present: &Configuration) -> Self {
        let allow = self.allow_unverified_email_account_linking;
        Self {
            name: self.name.filter(|name| *name != present.name),
            enabled: self.enabled.filter(|enabled| *enabled != present.enabled),
            sso_configuration_id: self
                .sso_configuration_id
                .filter(|sso| *sso != present.sso_configuration_id),
            allow_unverified_email_account_linking: allow
                .filter(|allow| *allow != present.allow_unverified_email_account_linking),
        }
    }

    /// Whether no field is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How long a token is valid, in whole microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLifetime(Duration);

impl TokenLifetime {
    /// What a caller who names none gets: 365 days.
    pub const DEFAULT: Self = Self(Duration::from_hours(365 * 24));

    /// The lifetime as a duration.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

/// Cuts to microseconds.
impl From<Duration> for TokenLifetime {
    fn from(duration: Duration) -> Self {
        let beyond_micros = Duration::from_nanos(u64::from(duration.subsec_nanos() % 1_000));
        Self(duration.saturating_sub(beyond_micros))
    }
}
