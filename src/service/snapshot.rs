//! The whole directory as it was at one moment.

use std::sync::Arc;

use futures::{Stream, stream};
use tokio::sync::OwnedSemaphorePermit;

use super::accounts;
use super::directory::Directory;
use super::error::Error;
use super::resource::{self, Owner};
use super::rules::id;
use crate::auth::Caller;
use crate::model::OrganizationId;
use crate::proto::scimd::v1::{GetSnapshotRequest, GetSnapshotResponse, GroupMembers};
use crate::repository::{Part, Snapshot};

impl Directory {
    /// Tells the directory of an organization, and behind which event to go on.
    pub async fn get_snapshot(
        self: Arc<Self>,
        caller: Caller,
        request: GetSnapshotRequest,
    ) -> Result<impl Stream<Item = Result<GetSnapshotResponse, Error>> + use<>, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        let permit = Arc::clone(&self.snapshots).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let snapshot = self.repository.snapshot(organization).await?;
        let teller = Teller { directory: self, organization, snapshot, _permit: permit };
        Ok(stream::try_unfold(teller, async |mut teller| {
            Ok(teller.next().await?.map(|part| (part, teller)))
        }))
    }
}

struct Teller {
    directory: Arc<Directory>,
    organization: OrganizationId,
    snapshot: Snapshot,
    _permit: OwnedSemaphorePermit,
}

impl Teller {
    async fn next(&mut self) -> Result<Option<GetSnapshotResponse>, Error> {
        if self.directory.closed.is_cancelled() {
            return Err(Error::Stopping);
        }
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
