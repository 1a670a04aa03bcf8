//! Reading the whole directory of an organization as it is at one moment, a
//! page at a time.

use std::collections::VecDeque;

use sea_orm::{EntityTrait, QueryTrait};
use uuid::Uuid;

use super::accounts;
use super::connection::{Moment, Rows, Turn, from_row};
use super::entity::{account, configuration, group, user};
use super::events::bounds;
use super::members;
use super::resources::{self, Row, Shape, Table, UserRow};
use super::{Repository, Result, configuration_state};
use crate::model::{
    Account, AccountFilter, AccountId, Condition, Configuration, ConfigurationId, Group, GroupId,
    Instant, MemberId, OrganizationId, Position, Slice, User,
};

/// Users or groups of one part: their size shows only when they are read.
const RESOURCES_AT_ONCE: u64 = 100;
const MEMBERS_AT_ONCE: i64 = 5_000;
const ACCOUNTS_AT_ONCE: u64 = 1_000;
/// Where a part ends early: clients take 4 MiB unless told otherwise.
const BYTES_AT_ONCE: usize = 512 * 1024;

/// A part of a snapshot, in this order, the first ones once for each configuration.
#[derive(Debug)]
pub enum Part {
    /// The configuration itself, also one whose end has not been told yet.
    Configuration(Configuration),
    /// Some of its users.
    Users(ConfigurationId, Vec<User>),
    /// Some of its groups.
    Groups(ConfigurationId, Vec<Group>),
    /// Some of its memberships, in order of groups.
    Members(ConfigurationId, Vec<(GroupId, MemberId)>),
    /// Some of the organization's accounts, behind all configurations.
    Accounts(Vec<Account>),
    /// The number of the newest event; the last part.
    Number(u64),
}

/// What is still to be read of a snapshot.
pub struct Snapshot {
    transaction: Moment,
    /// In memory nobody writes meanwhile.
    _pause: Option<Turn>,
    number: Option<u64>,
    steps: VecDeque<Step>,
}

enum Step {
    Configuration(ConfigurationId),
    Users(ConfigurationId, Option<Position>),
    Groups(ConfigurationId, Option<Position>),
    Members(ConfigurationId, Uuid, Uuid),
    Accounts(OrganizationId, Option<AccountId>),
}

impl Repository {
    /// Begins to read the directory of an organization as it is now.
    pub async fn snapshot(&self, organization: OrganizationId) -> Result<Snapshot> {
        // Deleted configurations have been told of as far as their rows are gone.
        const CONFIGURATIONS: &str = "SELECT id FROM scim_configurations \
                 WHERE organization_id = $1 \
             UNION SELECT configuration_id FROM scim_purges WHERE organization_id = $1 \
             ORDER BY 1";
        let (transaction, pause) = self.begin_snapshot().await?;
        let number = bounds(&transaction, organization).await?.newest;
        let ids: Vec<Uuid> =
            transaction.query(CONFIGURATIONS, [organization.as_uuid().into()]).await?;
        let steps = ids.into_iter().map(ConfigurationId::from).flat_map(|id| {
            [
                Step::Configuration(id),
                Step::Users(id, None),
                Step::Groups(id, None),
                Step::Members(id, Uuid::nil(), Uuid::nil()),
            ]
        });
        let steps = steps.chain([Step::Accounts(organization, None)]).collect();
        Ok(Snapshot { transaction, _pause: pause, number: Some(number), steps })
    }
}

impl Snapshot {
    /// The next part, or `None` behind the last one.
    pub async fn next(&mut self) -> Result<Option<Part>> {
        while let Some(step) = self.steps.pop_front() {
            if let Some(part) = self.part(step).await? {
                return Ok(Some(part));
            }
        }
        Ok(self.number.take().map(Part::Number))
    }

    /// What a step comes to, if it is anything; what it leaves is the next step.
    async fn part(&mut self, step: Step) -> Result<Option<Part>> {
        match step {
            Step::Configuration(id) => {
                let row = configuration::Entity::find_by_id(id.as_uuid());
                let row = self.transaction.row(row.build(self.transaction.backend())).await?;
                let there = match row {
                    Some(row) => Some(configuration::Model::into(row)),
                    None => self.deleted_configuration(id).await?,
                };
                Ok(there.map(Part::Configuration))
            }
            Step::Users(id, after) => {
                let rows = page::<user::Entity, UserRow, _>(&self.transaction, id, after).await?;
                let Some(last) = position(&rows) else { return Ok(None) };
                self.steps.push_front(Step::Users(id, Some(last)));
                let users = rows.into_iter().map(User::try_from).collect::<Result<_>>()?;
                Ok(Some(Part::Users(id, users)))
            }
            Step::Groups(id, after) => {
                let rows = page::<group::Entity, Row, _>(&self.transaction, id, after).await?;
                let Some(last) = position(&rows) else { return Ok(None) };
                self.steps.push_front(Step::Groups(id, Some(last)));
                let groups = rows.into_iter().map(Group::try_from).collect::<Result<_>>()?;
                Ok(Some(Part::Groups(id, groups)))
            }
            Step::Members(id, group, member) => {
                let rows = self.members(id, group, member).await?;
                let Some(last) = rows.last() else { return Ok(None) };
                let (group, member) = (last.group_id, last.member.member_id);
                self.steps.push_front(Step::Members(id, group, member));
                let member = |row: MemberRow| Ok((row.group_id.into(), row.member.try_into()?));
                let members = rows.into_iter().map(member).collect::<Result<_>>()?;
                Ok(Some(Part::Members(id, members)))
            }
            Step::Accounts(organization, after) => {
                let filter = AccountFilter::default();
                let page = accounts::page(organization, &filter, after, ACCOUNTS_AT_ONCE);
                let page = page.build(self.transaction.backend());
                let accounts: Vec<account::Model> = self.transaction.rows(page).await?;
                let Some(last) = accounts.last() else { return Ok(None) };
                self.steps.push_front(Step::Accounts(organization, Some(last.id.into())));
                Ok(Some(Part::Accounts(accounts.into_iter().map(Account::from).collect())))
            }
        }
    }

    /// What a configuration was whose rows are being removed.
    async fn deleted_configuration(&self, id: ConfigurationId) -> Result<Option<Configuration>> {
        const SQL: &str = "SELECT organization_id, created_at, state FROM scim_purges \
             WHERE configuration_id = $1 AND state IS NOT NULL";
        let deleted: Vec<Deleted> = self.transaction.query(SQL, [id.as_uuid().into()]).await?;
        let read = |row: &Deleted| {
            configuration_state::read(&row.state, id, row.organization_id.into(), row.created_at)
        };
        deleted.first().map(read).transpose()
    }

    /// Memberships behind this one. Those of a group that a purge has removed
    /// have been told of with it.
    async fn members(
        &self,
        configuration: ConfigurationId,
        group: Uuid,
        member: Uuid,
    ) -> Result<Vec<MemberRow>> {
        const SQL: &str = "SELECT held.group_id, held.member_id, held.member_kind \
             FROM scim_group_members AS held JOIN scim_groups AS groups \
                 ON groups.configuration_id = held.configuration_id AND groups.id = held.group_id \
             WHERE held.configuration_id = $1 AND (held.group_id, held.member_id) > ($2, $3) \
             ORDER BY held.group_id, held.member_id LIMIT $4";
        let values =
            [configuration.as_uuid().into(), group.into(), member.into(), MEMBERS_AT_ONCE.into()];
        Ok(self.transaction.query(SQL, values).await?)
    }
}

async fn page<E: Table, T: Shape<E>, C: Rows>(
    transaction: &C,
    configuration: ConfigurationId,
    after: Option<Position>,
) -> Result<Vec<T>> {
    let slice = Slice { after, skip: 0, limit: RESOURCES_AT_ONCE };
    let mut rows =
        resources::slice::<E, T, _>(transaction, configuration, &Condition::All, slice).await?;
    let mut bytes = 0;
    let fits = rows.iter().take_while(|row| {
        bytes += row.as_ref().document.len();
        bytes <= BYTES_AT_ONCE
    });
    let fits = fits.count().max(1);
    rows.truncate(fits);
    Ok(rows)
}

fn position<R: AsRef<Row>>(rows: &[R]) -> Option<Position> {
    let last = rows.last()?.as_ref();
    Some(Position { created_at: Instant::from_micros(last.created_at), id: last.id })
}

struct Deleted {
    organization_id: Uuid,
    created_at: i64,
    state: String,
}

from_row!(Deleted { organization_id, created_at, state });

struct MemberRow {
    group_id: Uuid,
    member: members::Row,
}

from_row!(MemberRow { group_id, member });
