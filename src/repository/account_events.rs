//! What the change feed says of accounts, written and read.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::feed::{Feed, Purged, Recorded};
use super::{Error, Result, Write};
use crate::model::{
    Account, AccountId, ConfigurationId, EventKind, Instant, Link, LinkReason, LinkRefusal,
    OrganizationId, UserId,
};

impl Write {
    /// That a user belongs to an account that was there already.
    pub(super) fn record_linked(
        &self,
        configuration: ConfigurationId,
        user: UserId,
        link: Link,
        account: &Account,
    ) {
        self.record(Recorded {
            link,
            state: account_state(account),
            ..self.gone(configuration, EventKind::AccountLinked, user.as_uuid())
        });
    }

    /// That a user belongs to none any more, because the account is removed.
    pub(super) fn record_unlinked(
        &self,
        organization: OrganizationId,
        configuration: ConfigurationId,
        user: UserId,
    ) {
        self.record(Recorded {
            feed: Feed::Of(organization),
            link: Link { account: None, reason: Some(LinkReason::AccountDeleted) },
            ..self.gone(configuration, EventKind::AccountUnlinked, user.as_uuid())
        });
    }

    /// That a user was not made or changed because of an account.
    pub(super) fn record_refused(&self, configuration: ConfigurationId, refusal: &LinkRefusal) {
        let state = RefusalState {
            user_name: refusal.user_name.clone(),
            external_id: refusal.external_id.clone(),
            email: refusal.email.clone(),
            user: refusal.user.map(UserId::as_uuid),
        };
        self.record(Recorded {
            link: Link { account: Some(refusal.account), reason: Some(refusal.reason) },
            state: text(&state),
            ..self.gone(configuration, EventKind::LinkRefused, refusal.account.as_uuid())
        });
    }

    /// That an account was made, or is different.
    pub(super) fn record_account(&self, organization: OrganizationId, account: &Account) {
        self.record(Recorded {
            state: account_state(account),
            ..self.of_account(organization, EventKind::AccountUpdated, account.id)
        });
    }

    /// That an account has lost its address with a configuration that is gone.
    pub(super) fn record_left(&self, purged: Purged, account: &Account) {
        self.record(Recorded {
            origin: purged.origin,
            state: account_state(account),
            ..self.of_account(purged.organization, EventKind::AccountUpdated, account.id)
        });
    }

    /// That an account was removed.
    pub(super) fn record_account_deleted(&self, organization: OrganizationId, account: AccountId) {
        self.record(self.of_account(organization, EventKind::AccountDeleted, account));
    }

    fn of_account(
        &self,
        organization: OrganizationId,
        kind: EventKind,
        account: AccountId,
    ) -> Recorded {
        let no_configuration = Uuid::nil().into();
        Recorded {
            feed: Feed::Of(organization),
            ..self.gone(no_configuration, kind, account.as_uuid())
        }
    }
}

/// Reads an account out of the state of an event.
pub(super) fn account(id: AccountId, state: &str) -> Result<Account> {
    let stored: AccountState = read(state)?;
    Ok(Account {
        id,
        client_id: stored.client_id,
        email: stored.email,
        email_verified: stored.email_verified,
        created_at: Instant::from_micros(stored.created_at),
        updated_at: Instant::from_micros(stored.updated_at),
    })
}

/// Reads a refusal out of the state of an event.
pub(super) fn refusal(link: Link, state: &str) -> Result<LinkRefusal> {
    let corrupt = || Error::Corrupt("scim_events.account_id");
    let stored: RefusalState = read(state)?;
    Ok(LinkRefusal {
        account: link.account.ok_or_else(corrupt)?,
        reason: link.reason.ok_or_else(corrupt)?,
        email: stored.email,
        user_name: stored.user_name,
        external_id: stored.external_id,
        user: stored.user.map(Into::into),
    })
}

fn account_state(account: &Account) -> String {
    text(&AccountState {
        client_id: account.client_id.clone(),
        email: account.email.clone(),
        email_verified: account.email_verified,
        created_at: account.created_at.as_micros(),
        updated_at: account.updated_at.as_micros(),
    })
}

fn text(state: &impl Serialize) -> String {
    serde_json::to_string(state).expect("a struct of plain values has a JSON form")
}

fn read<'a, T: Deserialize<'a>>(state: &'a str) -> Result<T> {
    serde_json::from_str(state).map_err(|_| Error::Corrupt("scim_events.state"))
}

#[derive(Serialize, Deserialize)]
struct AccountState {
    client_id: Option<String>,
    email: String,
    email_verified: bool,
    created_at: i64,
    updated_at: i64,
}

#[derive(Serialize, Deserialize)]
struct RefusalState {
    user_name: String,
    external_id: Option<String>,
    email: String,
    user: Option<Uuid>,
}
