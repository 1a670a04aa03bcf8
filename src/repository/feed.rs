//! Writing the change feed.
//!
//! The method that makes a change records its event in the same breath; all of
//! a transaction's events are written together when it commits, because their
//! numbers come from the one row that every change of the organization moves:
//! whoever has it keeps the others waiting.

mod along;

use std::fmt::Write as _;
use std::sync::{OnceLock, PoisonError};

use sea_orm::{DbBackend, Value};
use uuid::Uuid;

use super::{Error, Result, Write, configuration_state, events, locks};
use crate::model::{
    AccountId, Configuration, ConfigurationId, EventKind, Group, GroupId, Link,
    MEMBERS_OF_AN_EVENT, MemberId, OrganizationId, Origin, User,
};

pub(super) use self::along::told_along;

/// How many events one statement writes: ten values each, of which
/// PostgreSQL takes 65,535 and SQLite 32,766.
const EVENTS_AT_ONCE: usize = 100;

/// What a statement takes of each event beyond what they have in common.
const COLUMNS: usize = 10;

const EVENT_COLUMNS: &str = "organization_id, number, occurred_at, ends_transaction, kind, \
     origin, configuration_id, subject_id, version, created_at, changed, state, account_id, \
     account_reason";

/// An event that has no number yet.
pub(super) struct Recorded {
    pub feed: Feed,
    pub origin: Origin,
    pub kind: EventKind,
    /// Nil: an account belongs to none.
    pub configuration: Uuid,
    pub subject: Uuid,
    pub version: i64,
    pub created_at: i64,
    pub changed: String,
    pub state: String,
    pub link: Link,
}

/// Whose feed an event belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// The owner's of this configuration, found by the statement that writes.
    OwnerOf(ConfigurationId),
    Of(OrganizationId),
}

impl Feed {
    /// Of the configuration or organization.
    pub fn id(self) -> Uuid {
        match self {
            Self::OwnerOf(configuration) => configuration.as_uuid(),
            Self::Of(organization) => organization.as_uuid(),
        }
    }
}

/// What a deleted configuration leaves to be told later.
#[derive(Clone, Copy)]
pub(super) struct Purged {
    pub configuration: ConfigurationId,
    pub organization: OrganizationId,
    pub origin: Origin,
}

impl Write {
    pub(super) fn record_user(
        &self,
        configuration: ConfigurationId,
        kind: EventKind,
        user: &User,
        changed: &[String],
    ) {
        self.record(Recorded {
            version: i64::try_from(user.version).unwrap_or(i64::MAX),
            created_at: user.created_at.as_micros(),
            changed: events::changed_text(changed),
            state: user.document.to_string(),
            link: user.link,
            ..self.gone(configuration, kind, user.id.as_uuid())
        });
    }

    pub(super) fn record_group(
        &self,
        configuration: ConfigurationId,
        kind: EventKind,
        group: &Group,
        changed: &[String],
    ) {
        self.record(Recorded {
            version: i64::try_from(group.version).unwrap_or(i64::MAX),
            created_at: group.created_at.as_micros(),
            changed: events::changed_text(changed),
            state: group.document.to_string(),
            ..self.gone(configuration, kind, group.id.as_uuid())
        });
    }

    /// Members who entered and left, in as many events as they need.
    pub(super) fn record_members(
        &self,
        configuration: ConfigurationId,
        group: GroupId,
        version: i64,
        added: &[MemberId],
        removed: &[MemberId],
    ) {
        let members: Vec<_> = added
            .iter()
            .map(|member| ('+', member))
            .chain(removed.iter().map(|member| ('-', member)))
            .collect();
        for members in members.chunks(MEMBERS_OF_AN_EVENT) {
            let mut state = String::with_capacity(members.len() * 34);
            for (sign, member) in members {
                let kind = match member {
                    MemberId::User(_) => 'u',
                    MemberId::Group(_) => 'g',
                };
                write!(state, "{sign}{kind}{}", member.as_uuid().simple())
                    .expect("a string takes all that is written to it");
            }
            self.record(Recorded {
                version,
                state,
                ..self.gone(configuration, EventKind::GroupMembersChanged, group.as_uuid())
            });
        }
    }

    pub(super) fn record_deleted(
        &self,
        configuration: ConfigurationId,
        kind: EventKind,
        subject: Uuid,
    ) {
        self.record(self.gone(configuration, kind, subject));
    }

    /// What goes with a configuration that is gone already, or at last itself.
    pub(super) fn record_purged(&self, purged: Purged, kind: EventKind, subject: Uuid) {
        self.record(Recorded {
            feed: Feed::Of(purged.organization),
            origin: purged.origin,
            ..self.gone(purged.configuration, kind, subject)
        });
    }

    pub(super) fn record_configuration(
        &self,
        kind: EventKind,
        configuration: &Configuration,
        changed: &[&str],
    ) {
        self.record(Recorded {
            feed: Feed::Of(configuration.organization_id),
            created_at: configuration.created_at.as_micros(),
            changed: events::changed_text(changed),
            state: configuration_state::written(configuration),
            ..self.gone(configuration.id, kind, configuration.id.as_uuid())
        });
    }

    pub(super) fn record_token_notice(
        &self,
        kind: EventKind,
        configuration: &Configuration,
        days_left: u32,
    ) {
        self.record(Recorded {
            feed: Feed::Of(configuration.organization_id),
            created_at: configuration.created_at.as_micros(),
            version: days_left.into(),
            state: configuration_state::written(configuration),
            ..self.gone(configuration.id, kind, configuration.id.as_uuid())
        });
    }

    pub(super) fn gone(
        &self,
        configuration: ConfigurationId,
        kind: EventKind,
        subject: Uuid,
    ) -> Recorded {
        Recorded {
            feed: Feed::OwnerOf(configuration),
            origin: self.origin,
            kind,
            configuration: configuration.as_uuid(),
            subject,
            version: 0,
            created_at: 0,
            changed: String::new(),
            state: String::new(),
            link: Link::default(),
        }
    }

    pub(super) fn record(&self, event: Recorded) {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Numbers what was recorded and writes it. The last thing that a
    /// transaction does. Answers with whose feeds have grown: organizations, or
    /// configurations of theirs.
    pub(super) async fn write_events(&self) -> Result<Vec<Uuid>> {
        let mut recorded =
            std::mem::take(&mut *self.recorded.lock().unwrap_or_else(PoisonError::into_inner));
        let mut feeds = Vec::new();
        while let Some(first) = recorded.first() {
            let feed = first.feed;
            feeds.push(feed.id());
            let same = recorded.iter().take(EVENTS_AT_ONCE).take_while(|each| each.feed == feed);
            let rest = recorded.split_off(same.count());
            self.write_at_once(feed, recorded, rest.is_empty()).await?;
            recorded = rest;
        }
        Ok(feeds)
    }

    async fn write_at_once(&self, feed: Feed, events: Vec<Recorded>, is_end: bool) -> Result<()> {
        let count = i64::try_from(events.len()).expect("they are at most EVENTS_AT_ONCE");
        if self.backend() == DbBackend::Sqlite
            && self.execute(counted_on_sqlite(feed), [feed.id().into(), count.into()]).await? == 0
        {
            return Err(Error::ConfigurationGone);
        }
        let sql = match events.len() {
            1 => statement_of_one(self.backend(), feed).to_owned(),
            more => statement(self.backend(), feed, more),
        };
        let mut values: Vec<Value> =
            vec![feed.id().into(), count.into(), self.now.as_micros().into(), is_end.into()];
        for event in events {
            values.extend([
                i64::from(event.kind.number()).into(),
                event.origin.to_bytes().into(),
                event.configuration.into(),
                event.subject.into(),
                event.version.into(),
                event.created_at.into(),
                event.changed.into(),
                event.state.into(),
                event.link.account.map(AccountId::as_uuid).into(),
                event.link.reason.map(|reason| i64::from(reason.number())).into(),
            ]);
        }
        // A change through a configuration that is gone by now is none.
        if self.execute(sql, values).await? == 0 { Err(Error::ConfigurationGone) } else { Ok(()) }
    }
}

/// What moves the counter on PostgreSQL. Whoever moves the same one waits for an
/// advisory lock first: to wait for the row itself costs two locks, a look at
/// the row anew and a second try, more than twice the time with 16 in line.
fn in_line(feed: Feed) -> String {
    let (organization, from) = match feed {
        Feed::OwnerOf(_) => (
            "owner.organization_id",
            "scim_configurations AS owner, {line} WHERE owner.id = $1::uuid",
        ),
        Feed::Of(_) => ("$1::uuid", "{line}"),
    };
    let line = locks::wait_in_line(locks::FEED, organization);
    format!("SELECT {organization}, $2::bigint FROM {}", from.replace("{line}", &line))
}

/// What moves the counter by `$2`, for `$1`, of which `source` makes a row.
fn counted(source: &str) -> String {
    format!(
        "INSERT INTO scim_feeds (organization_id, newest) {source} \
         ON CONFLICT (organization_id) \
         DO UPDATE SET newest = scim_feeds.newest + excluded.newest"
    )
}

/// A statement of its own on SQLite, which has no `INSERT` within another.
fn counted_on_sqlite(feed: Feed) -> String {
    counted(match feed {
        Feed::OwnerOf(_) => "SELECT organization_id, $2 FROM scim_configurations WHERE id = $1",
        Feed::Of(_) => "VALUES ($1, $2)",
    })
}

/// That of [`statement`] for one event, which nearly every change has: put together
/// once, for it is long and always the same.
fn statement_of_one(backend: DbBackend, feed: Feed) -> &'static str {
    static STATEMENTS: [[OnceLock<String>; 2]; 2] = [const { [const { OnceLock::new() }; 2] }; 2];
    let engine = usize::from(backend == DbBackend::Sqlite);
    let kind = usize::from(matches!(feed, Feed::Of(_)));
    STATEMENTS[engine][kind].get_or_init(|| statement(backend, feed, 1))
}

/// The statement that writes so many events, all rows in one round trip. On
/// PostgreSQL it moves and reads the counter, too.
///
/// `$1` is the feed, `$2` how many, `$3` the instant, `$4` whether the last one
/// ends the transaction; then follow the values of each event.
fn statement(backend: DbBackend, feed: Feed, events: usize) -> String {
    let types = match backend {
        DbBackend::Sqlite => [""; COLUMNS],
        _ => [
            "bigint", "bytea", "uuid", "uuid", "bigint", "bigint", "text", "text", "uuid", "bigint",
        ],
    };
    let mut rows = String::new();
    for event in 0..events {
        let separator = if event == 0 { "" } else { ", " };
        write!(rows, "{separator}({event}").expect("a string takes all that is written to it");
        for (column, kind) in types.iter().enumerate() {
            let place = 5 + event * types.len() + column;
            let cast = if kind.is_empty() { "" } else { "::" };
            write!(rows, ", ${place}{cast}{kind}")
                .expect("a string takes all that is written to it");
        }
        rows.push(')');
    }
    let last = events - 1;
    match backend {
        DbBackend::Sqlite => format!(
            "INSERT INTO scim_events ({EVENT_COLUMNS}) \
             SELECT feed.organization_id, feed.newest - $2 + 1 + event.column1, $3, \
                 $4 AND event.column1 = {last}, event.column2, event.column3, event.column4, \
                 event.column5, event.column6, event.column7, event.column8, event.column9, \
                 event.column10, event.column11 \
             FROM scim_feeds AS feed, (VALUES {rows}) AS event \
             WHERE feed.organization_id = {}",
            match feed {
                Feed::OwnerOf(_) =>
                    "(SELECT organization_id FROM scim_configurations WHERE id = $1)",
                Feed::Of(_) => "$1",
            }
        ),
        _ => format!(
            "WITH feed AS ({} RETURNING organization_id, newest) \
             INSERT INTO scim_events ({EVENT_COLUMNS}) \
             SELECT feed.organization_id, feed.newest - $2::bigint + 1 + event.column1, $3::bigint, \
                 $4::boolean AND event.column1 = {last}, event.column2, event.column3, \
                 event.column4, event.column5, event.column6, event.column7, event.column8, \
                 event.column9, event.column10, event.column11 \
             FROM feed, (VALUES {rows}) AS event",
            counted(&in_line(feed))
        ),
    }
}
