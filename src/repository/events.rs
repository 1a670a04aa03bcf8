//! Reading the change feed, and forgetting what is older than is kept.

use sea_orm::Value;
use serde::Serialize;
use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::users::link;
use super::{Error, Read, Repository, Result, Write, account_events, configuration_state};
use crate::model::{
    Configuration, Document, Event, EventKind, Group, Instant, MemberId, MembersState,
    OrganizationId, Origin, State, User,
};

/// Events of one transaction that forgets.
const FORGOTTEN_AT_ONCE: u64 = 1_000;

/// Which events there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The number of the oldest event that is kept; one more than the newest
    /// where none is.
    pub oldest: u64,
    /// The number of the newest event there ever was; 0: there was none.
    pub newest: u64,
}

impl Read {
    /// Which events of the organization there are.
    pub async fn event_bounds(&self, organization: OrganizationId) -> Result<Bounds> {
        bounds(&self.connection, organization).await
    }

    /// The events behind number `after`, in order, at most `limit`.
    pub async fn events(
        &self,
        organization: OrganizationId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Event>> {
        const SQL: &str = "SELECT number, occurred_at, ends_transaction, kind, origin, \
                 configuration_id, subject_id, version, created_at, changed, state, \
                 account_id, account_reason \
             FROM scim_events WHERE organization_id = $1 AND number > $2 ORDER BY number LIMIT $3";
        let values = [organization.as_uuid().into(), bound(after).into(), bound(limit).into()];
        let rows: Vec<Row> = self.connection.query(SQL, values).await?;
        rows.into_iter().map(|row| row.event(organization)).collect()
    }

    /// The next organization, by id, whose oldest event happened before
    /// `before`.
    pub async fn organization_to_forget_of(
        &self,
        after: Option<OrganizationId>,
        before: Instant,
    ) -> Result<Option<OrganizationId>> {
        const SQL: &str = "SELECT feed.organization_id AS id FROM scim_feeds AS feed \
             WHERE feed.organization_id > $1 AND \
                 (SELECT oldest.occurred_at FROM scim_events AS oldest \
                  WHERE oldest.organization_id = feed.organization_id \
                  ORDER BY oldest.number LIMIT 1) < $2 \
             ORDER BY feed.organization_id LIMIT 1";
        let after = after.map_or(Uuid::nil(), OrganizationId::as_uuid);
        let found: Vec<Uuid> =
            self.connection.query(SQL, [after.into(), before.as_micros().into()]).await?;
        Ok(found.into_iter().next().map(Into::into))
    }
}

impl Repository {
    /// Forgets some of the organization's events that happened before `before`,
    /// oldest first. `false`: none is left.
    pub async fn forget_events(
        &self,
        organization: OrganizationId,
        before: Instant,
    ) -> Result<bool> {
        let tx = self.write().await?;
        tx.transaction.take_long(true);
        let more = tx.forget_events(organization, before, FORGOTTEN_AT_ONCE).await?;
        tx.commit().await?;
        Ok(more)
    }
}

impl Write {
    /// Forgets at most `limit` events; see [`Repository::forget_events`].
    pub async fn forget_events(
        &self,
        organization: OrganizationId,
        before: Instant,
        limit: u64,
    ) -> Result<bool> {
        // Up to the first that is kept: transactions take their instant at their
        // beginning and their number at their end, and no gap may arise.
        let forgotten = self
            .execute(
                "DELETE FROM scim_events WHERE organization_id = $1 AND number < \
                     (SELECT COALESCE(MIN(number) FILTER (WHERE occurred_at >= $2), \
                                      MAX(number) + 1) \
                      FROM (SELECT number, occurred_at FROM scim_events \
                            WHERE organization_id = $1 ORDER BY number LIMIT $3) AS oldest)",
                [
                    organization.as_uuid().into(),
                    before.as_micros().into(),
                    Value::from(bound(limit)),
                ],
            )
            .await?;
        Ok(forgotten > 0)
    }
}

pub(super) async fn bounds<C: Rows>(
    connection: &C,
    organization: OrganizationId,
) -> Result<Bounds> {
    // One statement, so that both numbers are of one moment.
    const SQL: &str = "SELECT newest, COALESCE( \
             (SELECT MIN(number) FROM scim_events WHERE organization_id = $1), newest + 1) AS oldest \
         FROM scim_feeds WHERE organization_id = $1";
    let rows: Vec<BoundsRow> = connection.query(SQL, [organization.as_uuid().into()]).await?;
    let Some(row) = rows.first() else { return Ok(Bounds { oldest: 1, newest: 0 }) };
    Ok(Bounds { oldest: number(row.oldest)?, newest: number(row.newest)? })
}

pub(super) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn number(stored: i64) -> Result<u64> {
    u64::try_from(stored).map_err(|_| Error::Corrupt("scim_events"))
}

struct BoundsRow {
    newest: i64,
    oldest: i64,
}

from_row!(BoundsRow { newest, oldest });

struct Row {
    number: i64,
    occurred_at: i64,
    ends_transaction: bool,
    kind: i64,
    origin: Vec<u8>,
    configuration_id: Uuid,
    subject_id: Uuid,
    version: i64,
    created_at: i64,
    changed: String,
    state: Document,
    account_id: Option<Uuid>,
    account_reason: Option<i64>,
}

from_row!(Row {
    number,
    occurred_at,
    ends_transaction,
    kind,
    origin,
    configuration_id,
    subject_id,
    version,
    created_at,
    changed,
    state,
    account_id,
    account_reason,
});

impl Row {
    fn event(self, organization: OrganizationId) -> Result<Event> {
        let kind = EventKind::from_number(self.kind).ok_or(Error::Corrupt("scim_events.kind"))?;
        Ok(Event {
            number: number(self.number)?,
            at: Instant::from_micros(self.occurred_at),
            ends_transaction: self.ends_transaction,
            kind,
            origin: Origin::from_bytes(&self.origin).ok_or(Error::Corrupt("scim_events.origin"))?,
            configuration: Some(self.configuration_id).filter(|id| !id.is_nil()).map(Into::into),
            subject: self.subject_id,
            changed: changed(&self.changed)?,
            state: self.state(kind, organization)?,
        })
    }

    fn state(self, kind: EventKind, organization: OrganizationId) -> Result<State> {
        let version = number(self.version)?;
        let created_at = Instant::from_micros(self.created_at);
        let updated_at = Instant::from_micros(self.occurred_at);
        Ok(match kind {
            EventKind::UserCreated
            | EventKind::UserUpdated
            | EventKind::UserDeactivated
            | EventKind::UserReactivated => State::User(User {
                id: self.subject_id.into(),
                document: self.state,
                version,
                created_at,
                updated_at,
                link: link(self.account_id, self.account_reason)?,
            }),
            EventKind::GroupCreated | EventKind::GroupUpdated => State::Group(Group {
                id: self.subject_id.into(),
                document: self.state,
                version,
                created_at,
                updated_at,
            }),
            EventKind::GroupMembersChanged => State::Members(members(version, &self.state)?),
            EventKind::ConfigurationCreated
            | EventKind::ConfigurationUpdated
            | EventKind::ConfigurationEnabled
            | EventKind::ConfigurationDisabled
            | EventKind::TokenRegenerated => {
                State::Configuration(self.configuration(organization)?)
            }
            EventKind::TokenExpiring | EventKind::TokenExpired => {
                State::Token(self.configuration(organization)?, version)
            }
            EventKind::AccountLinked => {
                let link = link(self.account_id, self.account_reason)?;
                let account = link.account.ok_or(Error::Corrupt("scim_events.account_id"))?;
                State::Link(link, Some(account_events::account(account, &self.state)?))
            }
            EventKind::AccountUnlinked => {
                State::Link(link(self.account_id, self.account_reason)?, None)
            }
            EventKind::LinkRefused => {
                let link = link(self.account_id, self.account_reason)?;
                State::LinkRefused(account_events::refusal(link, &self.state)?)
            }
            EventKind::AccountUpdated => {
                State::Account(account_events::account(self.subject_id.into(), &self.state)?)
            }
            EventKind::UserDeleted
            | EventKind::GroupDeleted
            | EventKind::ConfigurationDeleted
            | EventKind::AccountDeleted => State::Gone,
        })
    }

    fn configuration(&self, organization: OrganizationId) -> Result<Configuration> {
        let id = self.configuration_id.into();
        configuration_state::read(&self.state, id, organization, self.created_at)
    }
}

/// Reads what [`changed_text`] wrote.
fn changed(text: &str) -> Result<Vec<String>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(text).map_err(|_| Error::Corrupt("scim_events.changed"))
}

/// As JSON, because a name may hold characters that PostgreSQL does not take.
pub(super) fn changed_text<T: Serialize>(paths: &[T]) -> String {
    if paths.is_empty() {
        return String::new();
    }
    serde_json::to_string(paths).expect("texts have a JSON form")
}

/// Reads what `record_members` wrote: sign, kind and 32 digits for each.
fn members(version: u64, state: &str) -> Result<MembersState> {
    let corrupt = || Error::Corrupt("scim_events.state");
    let mut members = MembersState { version, added: Vec::new(), removed: Vec::new() };
    for member in state.as_bytes().chunks(34) {
        let (what, id) = member.split_at_checked(2).ok_or_else(corrupt)?;
        let id = Uuid::try_parse_ascii(id).map_err(|_| corrupt())?;
        let (list, member) = match what {
            b"+u" => (&mut members.added, MemberId::User(id.into())),
            b"+g" => (&mut members.added, MemberId::Group(id.into())),
            b"-u" => (&mut members.removed, MemberId::User(id.into())),
            b"-g" => (&mut members.removed, MemberId::Group(id.into())),
            _ => return Err(corrupt()),
        };
        list.push(member);
    }
    Ok(members)
}
