//! The whole directory as it was at one moment.

use std::collections::HashMap;
use std::panic;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::accounts;
use super::directory::Directory;
use super::error::Error;
use super::resource::{self, Owner};
use super::rules::id;
use crate::auth::Caller;
use crate::model::OrganizationId;
use crate::proto::scimd::v1::{GetSnapshotRequest, GetSnapshotResponse, GroupMembers};
use crate::repository::{Part, Snapshot};

/// Snapshots of different organizations at once.
const SNAPSHOTS_AT_ONCE: usize = 3;
/// How long a caller waits for the snapshots of others.
const TURN_PATIENCE: Duration = Duration::from_secs(15);
/// How long a snapshot, which has a connection of few, waits for its reader to
/// take the next part.
const READER_PATIENCE: Duration = Duration::from_secs(30);

impl Directory {
    /// Tells the directory of an organization, and behind which event to go on.
    pub async fn get_snapshot(
        self: Arc<Self>,
        caller: Caller,
        request: GetSnapshotRequest,
    ) -> Result<impl Stream<Item = Result<GetSnapshotResponse, Error>> + use<>, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        let turn = timeout(TURN_PATIENCE, self.turns.wait(organization)).await;
        let turn = turn.map_err(|_elapsed| Error::SnapshotsBusy)?;
        let snapshot = self.repository.snapshot(organization).await?;
        let teller = Teller { directory: self, caller, organization, snapshot, _turn: turn };
        let parts = stream::try_unfold(teller, async |mut teller| {
            Ok(teller.next().await?.map(|part| (part, teller)))
        });
        Ok(handed_over(parts, READER_PATIENCE))
    }
}

/// The same parts, made by a task of their own as somebody takes them. Where
/// nobody takes one for as long as `patience`, what `parts` holds is free again,
/// and the stream ends with an error.
fn handed_over<T: Send + 'static>(
    parts: impl Stream<Item = Result<T, Error>> + Send + 'static,
    patience: Duration,
) -> impl Stream<Item = Result<T, Error>> + Send {
    let (sender, receiver) = mpsc::channel(1);
    let teller = tokio::spawn(async move {
        let mut parts = pin!(parts);
        while let Some(part) = parts.next().await {
            match sender.send_timeout(part, patience).await {
                Ok(()) => {}
                Err(SendTimeoutError::Timeout(_)) => return Err(Error::ReaderTooSlow),
                Err(SendTimeoutError::Closed(_)) => break,
            }
        }
        Ok(())
    });
    let state = Some((receiver, AbortOnDropHandle::new(teller)));
    stream::unfold(state, async |state| {
        let (mut receiver, teller) = state?;
        if let Some(part) = receiver.recv().await {
            return Some((part, Some((receiver, teller))));
        }
        let end = teller.await.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()));
        end.err().map(|error| (Err(error), None))
    })
}

/// Who may take snapshots: each holds a connection for as long as its reader takes.
/// Of one organization there is one at a time, so that slow readers of it keep
/// nobody else's waiting.
pub struct SnapshotTurns {
    all: Arc<Semaphore>,
    /// Of the organizations that take one or wait for it.
    own: Mutex<HashMap<OrganizationId, Weak<Semaphore>>>,
}

/// The turn of somebody, until it is dropped.
struct Turn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Default for SnapshotTurns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(SNAPSHOTS_AT_ONCE)), own: Mutex::default() }
    }
}

impl SnapshotTurns {
    async fn wait(&self, organization: OrganizationId) -> Turn {
        const OPEN: &str = "the semaphores are never closed";
        let own = self.own(organization).acquire_owned().await.expect(OPEN);
        let all = Arc::clone(&self.all).acquire_owned().await.expect(OPEN);
        Turn { _own: own, _all: all }
    }

    fn own(&self, organization: OrganizationId) -> Arc<Semaphore> {
        // Nothing that is done under the lock can leave it half done.
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|_, semaphore| semaphore.strong_count() > 0);
        if let Some(present) = own.get(&organization).and_then(Weak::upgrade) {
            return present;
        }
        let new = Arc::new(Semaphore::new(1));
        own.insert(organization, Arc::downgrade(&new));
        new
    }
}

struct Teller {
    directory: Arc<Directory>,
    caller: Caller,
    organization: OrganizationId,
    snapshot: Snapshot,
    _turn: Turn,
}

impl Teller {
    async fn next(&mut self) -> Result<Option<GetSnapshotResponse>, Error> {
        if self.directory.closed.is_cancelled() {
            return Err(Error::Stopping);
        }
        self.directory.authenticator.still(self.caller).await?;
        let Some(part) = self.snapshot.next().await? else { return Ok(None) };
        let owner = |configuration| Owner { organization: self.organization, configuration };
        let mut response = GetSnapshotResponse::default();
        match part {
            Part::Configuration(configuration) => {
                response.scim_configurations = vec![configuration.into()];
            }
            Part::Users(configuration, users) => {
                let users =
                    users.into_iter().map(|user| resource::user(owner(configuration), &user));
                response.users = users.collect::<Result<_, _>>()?;
            }
            Part::Groups(configuration, groups) => {
                let groups =
                    groups.into_iter().map(|group| resource::group(owner(configuration), &group));
                response.groups = groups.collect::<Result<_, _>>()?;
            }
            Part::Members(configuration, members) => {
                for (group, member) in members {
                    let group_id = group.to_string();
                    match response.memberships.last_mut() {
                        Some(last) if last.group_id == group_id => last.members.push(member.into()),
                        _ => response.memberships.push(GroupMembers {
                            scim_configuration_id: configuration.to_string(),
                            group_id,
                            members: vec![member.into()],
                        }),
                    }
                }
            }
            Part::Accounts(accounts) => {
                let account = |account| accounts::account(self.organization, account);
                response.accounts = accounts.into_iter().map(account).collect();
            }
            Part::Number(number) => response.number = Some(number),
        }
        Ok(Some(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three parts, and whether what they are made of is still held.
    fn parts() -> (Arc<()>, impl Stream<Item = Result<u8, Error>>) {
        let held = Arc::new(());
        let parts = stream::try_unfold((0, Arc::clone(&held)), async |(part, held)| {
            Ok((part < 3).then_some((part, (part + 1, held))))
        });
        (held, parts)
    }

    #[tokio::test]
    async fn whoever_takes_many_snapshots_keeps_nobody_else_waiting() {
        let turns = SnapshotTurns::default();
        let [one, other] = [1, 2].map(|id| OrganizationId::from(uuid::Uuid::from_u128(id)));
        let is_ready = async |organization| {
            timeout(Duration::from_millis(20), turns.wait(organization)).await.ok()
        };
        let first = is_ready(one).await;
        assert!(first.is_some());
        for _ in 0..SNAPSHOTS_AT_ONCE {
            assert!(is_ready(one).await.is_none());
        }
        assert!(is_ready(other).await.is_some());
        drop(first);
        assert!(is_ready(one).await.is_some());
        assert_eq!(turns.own.lock().expect("nobody panics").len(), 1, "who is done is forgotten");
    }

    #[tokio::test]
    async fn a_reader_gets_all_parts_and_then_the_end() {
        let (held, parts) = parts();
        let told: Vec<_> = handed_over(parts, READER_PATIENCE).map(Result::unwrap).collect().await;
        assert_eq!(told, [0, 1, 2]);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_holds_nothing_and_is_told() {
        let (held, parts) = parts();
        let mut told = pin!(handed_over(parts, Duration::from_millis(20)));
        assert_eq!(told.next().await.unwrap().unwrap(), 0);
        while Arc::strong_count(&held) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let rest: Vec<_> = told.collect().await;
        assert!(matches!(rest.last(), Some(Err(Error::ReaderTooSlow))), "{rest:?}");
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_holds_nothing() {
        let (held, parts) = parts();
        let mut told = Box::pin(handed_over(parts, READER_PATIENCE));
        assert_eq!(told.next().await.unwrap().unwrap(), 0);
        drop(told);
        while Arc::strong_count(&held) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
