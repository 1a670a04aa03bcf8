//! What a request makes of the members of a group.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::super::client::Client;
use super::super::derived::{members_among, members_in};
use super::super::error::Error;
use crate::model::{GroupId, MemberChange, MemberId};
use crate::repository::Write;
use crate::scim::protocol::fault::Fault;
use crate::scim::protocol::filter::Filter;
use crate::scim::protocol::patch::MemberOperation;
use crate::settings::UnknownMembers;
use crate::telemetry;

/// A group within itself, through however many others, has no end.
pub async fn refuse_circle(
    tx: &Write,
    client: &Client,
    group: GroupId,
    change: &MemberChange,
) -> Result<(), Error> {
    let (MemberChange::Difference { add: members, .. } | MemberChange::Replace(members)) = change;
    let groups: Vec<_> = members
        .iter()
        .filter_map(|member| match member {
            MemberId::Group(id) => Some(*id),
            MemberId::User(_) => None,
        })
        .collect();
    let holding = tx.groups_holding(client.configuration, group, &groups).await?;
    match holding.first() {
        Some(holding) => {
            let detail = format!("The group {holding} holds this one: it cannot be its member.");
            Err(Fault::value(detail).into())
        }
        None => Ok(()),
    }
}

/// Adds one operation of a PATCH to what shall become of the members.
pub async fn fold(
    tx: &Write,
    client: &Client,
    group: GroupId,
    change: &mut MemberChange,
    operation: MemberOperation,
) -> Result<(), Error> {
    match operation {
        MemberOperation::Add(ids) => {
            for member in resolved(tx, client, &ids).await? {
                change.add(member);
            }
        }
        MemberOperation::Remove(ids) => ids.into_iter().for_each(|id| change.remove(id)),
        MemberOperation::Replace(ids) => change.replace(resolved(tx, client, &ids).await?),
        MemberOperation::Stray(fault) => allow_stray(client, Some(fault))?,
        MemberOperation::RemoveMatching(filter) => {
            for id in matching(tx, client, group, change, &filter).await? {
                change.remove(id);
            }
        }
    }
    Ok(())
}

/// The members for which a filter holds that is about more than their ids: the
/// one change that reads them all. RFC 7644 3.5.2: "the resulting resource becomes
/// the target of the next operation": they are those after what was done so far.
async fn matching(
    tx: &Write,
    client: &Client,
    group: GroupId,
    before: &MemberChange,
    filter: &Filter,
) -> Result<Vec<Uuid>, Error> {
    let (entered, mut members) = match before {
        MemberChange::Replace(members) => (members, Vec::new()),
        MemberChange::Difference { add, remove } => {
            let mut members = members_in(tx, client, group).await?;
            members.retain(|(id, _)| !remove.contains(id));
            (add, members)
        }
    };
    members.extend(members_among(tx, client, entered).await?);
    let matching = members
        .into_iter()
        .filter(|(_, entry)| entry.as_object().is_some_and(|entry| filter.matches(entry)));
    Ok(matching.map(|(id, _)| id).collect())
}

/// Refuses what goes by no id of ours, unless it shall be left out.
pub fn allow_stray(client: &Client, stray: Option<Fault>) -> Result<(), Error> {
    match (client.unknown_members, stray) {
        (UnknownMembers::Refuse, Some(fault)) => Err(fault.into()),
        (UnknownMembers::Ignore, Some(fault)) => {
            tracing::info!(id = telemetry::request(), %fault, "a member was left out");
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

/// The users and groups behind these ids. One that is nobody here refuses all,
/// unless it shall be left out.
pub async fn resolved(
    tx: &Write,
    client: &Client,
    ids: &[Uuid],
) -> Result<BTreeSet<MemberId>, Error> {
    let members = tx.resolve_members(client.configuration, ids).await?;
    let known: BTreeSet<_> = members.iter().map(|member| member.as_uuid()).collect();
    let unknown: Vec<_> = ids.iter().filter(|id| !known.contains(id)).copied().collect();
    if !unknown.is_empty() {
        match client.unknown_members {
            UnknownMembers::Refuse => return Err(Error::no_such_members(&unknown)),
            UnknownMembers::Ignore => {
                tracing::info!(id = telemetry::request(), ?unknown, "members were left out");
            }
        }
    }
    Ok(members.into_iter().collect())
}
