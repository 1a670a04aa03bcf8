//! The change feed: what happened to a directory, in order.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use tokio::time::Instant;

use super::accounts;
use super::directory::Directory;
use super::error::Error;
use super::resource::{self, Owner};
use super::rules::id;
use super::wire::Wire;
use crate::auth::Caller;
use crate::model::{self, OrganizationId, Origin, State};
use crate::proto::scimd::v1::{
    Cause, Event, EventKind, ListEventsRequest, ListEventsResponse, MembersChange,
    StreamEventsRequest, StreamEventsResponse, event,
};
use crate::repository::{self, Bounds};

/// Every event of a user or group says through which configuration it came.
const CORRUPT: Error =
    Error::Repository(repository::Error::Corrupt("scim_events.configuration_id"));
/// What `limit` 0, or none at all, stands for.
const DEFAULT_LIMIT: u64 = 100;
/// Events of one message of a stream.
const EVENTS_AT_ONCE: u64 = 500;
/// Events of one look into the store: their size shows only then.
const READ_AT_ONCE: u64 = 100;
/// About how much of stored state one message carries: clients take 4 MiB
/// unless told otherwise, and a message says a part of its state twice.
const BYTES_AT_ONCE: usize = 512 * 1024;
/// How often a stream looks for what others, in other processes too, have
/// committed.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);
/// How long a stream is silent at most.
const HEARTBEAT: Duration = Duration::from_secs(15);

impl Directory {
    /// Tells what changed behind a number.
    pub async fn list_events(
        self: Arc<Self>,
        caller: Caller,
        request: ListEventsRequest,
    ) -> Result<ListEventsResponse, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        let limit = match u64::try_from(request.limit) {
            Ok(0) | Err(_) => DEFAULT_LIMIT,
            Ok(limit) => limit,
        };
        let events = self.events(organization, request.after, limit).await?;
        // After the events, so that it knows of each of them.
        let bounds = self.repository.read().event_bounds(organization).await?;
        if events.is_empty() {
            check(request.after, bounds)?;
        }
        Ok(ListEventsResponse {
            events,
            newest_number: bounds.newest,
            oldest_number: bounds.oldest,
        })
    }

    /// Tells what changed behind a number, and what changes from now on.
    pub async fn stream_events(
        self: Arc<Self>,
        caller: Caller,
        request: StreamEventsRequest,
    ) -> Result<impl Stream<Item = Result<StreamEventsResponse, Error>> + use<>, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        check(request.after, self.repository.read().event_bounds(organization).await?)?;
        let (after, heard) = (request.after, Instant::now());
        let follower = Follower { directory: self, caller, organization, after, heard };
        Ok(stream::try_unfold(Some(follower), async |follower| {
            let Some(mut follower) = follower else { return Ok(None) };
            Ok(Some((follower.next().await?, Some(follower))))
        }))
    }

    /// At most `limit` events behind number `after`, fewer where they are large.
    async fn events(
        &self,
        organization: OrganizationId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Event>, Error> {
        let (mut bytes, mut events) = (0, Vec::new());
        loop {
            let told = events.len() as u64;
            let wanted = (limit - told).min(READ_AT_ONCE);
            let stored = self.repository.read().events(organization, after + told, wanted).await?;
            // Numbers have no gaps: what is missing has been forgotten.
            if let Some(first) = stored.first().filter(|first| first.number > after + told + 1) {
                return Err(Error::EventsExpired(first.number));
            }
            let is_last = (stored.len() as u64) < wanted;
            for stored in stored {
                bytes += size(&stored.state);
                if bytes > BYTES_AT_ONCE && !events.is_empty() {
                    return Ok(events);
                }
                events.push(event(organization, stored)?);
            }
            if is_last || events.len() as u64 >= limit {
                return Ok(events);
            }
        }
    }
}

/// One who follows a feed.
struct Follower {
    directory: Arc<Directory>,
    caller: Caller,
    organization: OrganizationId,
    after: u64,
    /// When something was last said.
    heard: Instant,
}

impl Follower {
    /// What happened next, or that nothing did for a while.
    async fn next(&mut self) -> Result<StreamEventsResponse, Error> {
        let mut events = Vec::new();
        while events.is_empty() && self.heard.elapsed() < HEARTBEAT {
            if self.directory.closed.is_cancelled() {
                return Err(Error::Stopping);
            }
            self.directory.authenticator.still(self.caller).await?;
            events = self.directory.events(self.organization, self.after, EVENTS_AT_ONCE).await?;
            if events.is_empty() {
                let closed = self.directory.closed.cancelled();
                // Woken by the end, which is told in the next round.
                let _ = tokio::time::timeout(LOOK_INTERVAL, closed).await;
            }
        }
        self.after = events.last().map_or(self.after, |last| last.number);
        self.heard = Instant::now();
        Ok(StreamEventsResponse { events, newest_number: self.after })
    }
}

/// Refuses a number behind which nothing can be told.
pub(super) fn check(after: u64, bounds: Bounds) -> Result<(), Error> {
    if after > bounds.newest {
        Err(Error::EventNumberUnknown(bounds.newest))
    } else if after + 1 < bounds.oldest {
        Err(Error::EventsExpired(bounds.oldest))
    } else {
        Ok(())
    }
}

/// About how many bytes a state makes of a message.
fn size(state: &State) -> usize {
    match state {
        State::User(user) => user.document.len(),
        State::Group(group) => group.document.len(),
        State::Members(members) => 40 * (members.added.len() + members.removed.len()),
        State::Gone
        | State::Configuration(_)
        | State::Token(..)
        | State::Account(_)
        | State::Link(..)
        | State::LinkRefused(_) => 0,
    }
}

/// An event by itself as `ListEvents` tells it in JSON, byte for byte.
pub fn event_json(
    organization: OrganizationId,
    stored: model::Event,
) -> Result<Vec<u8>, serde_json::Error> {
    let event = event(organization, stored);
    let event = event.map_err(|_logged| serde::ser::Error::custom("the stored state is none"))?;
    serde_json::to_vec(&Wire::new(event))
}

fn event(organization: OrganizationId, stored: model::Event) -> Result<Event, Error> {
    use model::EventKind::{UserDeactivated, UserDeleted};
    let (mut days_left, mut account) = (0, None);
    let configuration = stored.configuration.map(|id| id.to_string()).unwrap_or_default();
    let owner = |id| Owner { organization, configuration: id };
    let of = stored.configuration.map(owner).ok_or(CORRUPT);
    let state = match stored.state {
        State::Gone => None,
        State::User(user) => {
            if stored.kind == model::EventKind::UserCreated {
                account = accounts::made_with(organization, &user)?;
            }
            Some(event::State::User(resource::user(of?, &user)?))
        }
        State::Group(group) => Some(event::State::Group(resource::group(of?, &group)?)),
        State::Members(members) => Some(event::State::MembersChange(MembersChange {
            version: members.version,
            added: members.added.into_iter().map(Into::into).collect(),
            removed: members.removed.into_iter().map(Into::into).collect(),
        })),
        State::Configuration(configuration) => {
            Some(event::State::ScimConfiguration(configuration.into()))
        }
        State::Token(configuration, days) => {
            days_left = u32::try_from(days).unwrap_or_default();
            Some(event::State::ScimConfiguration(configuration.into()))
        }
        State::Account(stored) => {
            account = Some(accounts::account(organization, stored));
            None
        }
        State::Link(link, stored) => {
            account = stored.map(|stored| accounts::account(organization, stored));
            accounts::link(link).map(event::State::AccountLink)
        }
        State::LinkRefused(refusal) => Some(event::State::LinkRefusal(refusal.into())),
    };
    Ok(Event {
        number: stored.number,
        occurred_at: Some(stored.at.into()),
        ends_transaction: stored.ends_transaction,
        kind: EventKind::try_from(stored.kind.number()).unwrap_or_default().into(),
        scim_configuration_id: configuration,
        subject_id: stored.subject.to_string(),
        changed_paths: stored.changed,
        ends_sessions: matches!(stored.kind, UserDeactivated | UserDeleted),
        cause: Some(stored.origin.into()),
        token_days_left: days_left,
        account,
        state,
    })
}

impl From<Origin> for Cause {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Server => Self::default(),
            Origin::Configuration(id, request) => Self {
                scim_configuration_id: id.to_string(),
                request_id: request.to_string(),
                ..Self::default()
            },
            Origin::ApiKey(id, request) => Self {
                api_key_id: id.to_string(),
                request_id: request.to_string(),
                ..Self::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_numbers_and_names_of_the_contract() {
        for number in 0..100 {
            let ours = model::EventKind::from_number(number).map(|kind| format!("{kind:?}"));
            let theirs = EventKind::try_from(i32::try_from(number).expect("it is small"));
            let theirs = theirs.ok().filter(|kind| *kind != EventKind::Unspecified);
            assert_eq!(ours, theirs.map(|kind| format!("{kind:?}")), "{number}");
        }
    }
}
