//! Taking over what the application tells of its accounts: all of a request or
//! nothing.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, DbBackend, EntityTrait, QueryTrait, Set};
use uuid::Uuid;

use super::connection::{Failure, from_row};
use super::entity::account::{ActiveModel, Entity, Model, columns};
use super::{Error, Repository, Result, Write, retry_deadlocks};
use crate::model::{
    AccountId, Import, ImportConflict, ImportedAccount, LinkReason, OrganizationId, fold,
};

/// What became of each account of a request, or which of them were not to be
/// imported and why; then none is.
pub type Imported = std::result::Result<Vec<Import>, Vec<(usize, ImportConflict)>>;

impl Repository {
    /// Takes over what the application tells of its accounts.
    pub async fn import_accounts(
        &self,
        organization: OrganizationId,
        accounts: &[ImportedAccount],
    ) -> Result<Imported> {
        retry_deadlocks(|| self.import_once(organization, accounts)).await
    }

    async fn import_once(
        &self,
        organization: OrganizationId,
        accounts: &[ImportedAccount],
    ) -> Result<Imported> {
        let tx = self.write().await?;
        tx.transaction.take_long(true);
        let imported = tx.import_accounts(organization, accounts).await?;
        if imported.is_ok() {
            tx.commit().await?;
        }
        Ok(imported)
    }
}

/// An account that an item may be about.
struct Present {
    row: Model,
    users: Users,
}

/// What the users of an account that nobody has claimed have to say of it.
#[derive(Clone, Copy, Default)]
struct Users {
    /// One was linked without a proof that its configuration asks for.
    has_unproven: bool,
    /// The configuration of one asks for proofs.
    asks_proofs: bool,
}

from_row!(Users { has_unproven, asks_proofs });

/// The accounts that items may be about, to be found by each of their keys.
#[derive(Default)]
struct Known {
    accounts: HashMap<Uuid, Present>,
    client_ids: HashMap<String, Uuid>,
    emails: HashMap<String, Uuid>,
}

impl Known {
    fn add(&mut self, present: Present) {
        let id = present.row.id;
        self.client_ids.extend(present.row.client_id.clone().map(|client_id| (client_id, id)));
        self.emails.extend(present.row.email_key.clone().map(|key| (key, id)));
        self.accounts.insert(id, present);
    }

    fn of_client_id(&self, client_id: &str) -> Option<&Present> {
        self.accounts.get(self.client_ids.get(client_id)?)
    }

    fn of_email(&self, key: &str) -> Option<&Present> {
        self.accounts.get(self.emails.get(key)?)
    }
}

/// What an item comes to: the row as it shall be, and what it was.
struct Plan {
    before: Option<Model>,
    after: Model,
}

impl Write {
    async fn import_accounts(
        &self,
        organization: OrganizationId,
        items: &[ImportedAccount],
    ) -> Result<Imported> {
        let keys: Vec<_> = items.iter().map(|item| fold(&item.email)).collect();
        let mut conflicts = repeated(items, &keys);
        if !conflicts.is_empty() {
            return Ok(Err(conflicts));
        }
        let present = self.present(organization, items, &keys).await?;
        let targets: Vec<_> =
            items.iter().zip(&keys).map(|(item, key)| target(&present, item, key)).collect();
        // Which of the accounts that are here have another email afterwards.
        let leaving: HashSet<Uuid> = targets
            .iter()
            .zip(&keys)
            .filter_map(|(target, key)| {
                target.as_ref().ok()?.filter(|it| it.row.email_key.as_ref() != Some(key))
            })
            .map(|present| present.row.id)
            .collect();
        let mut plans = Vec::with_capacity(items.len());
        let mut meant = HashSet::new();
        for (place, ((item, key), target)) in items.iter().zip(&keys).zip(targets).enumerate() {
            let holder = present.of_email(key);
            // Who has the email, and would have it afterwards.
            let other = |own: Option<Uuid>| {
                let other = holder.filter(|holder| Some(holder.row.id) != own);
                other.map(|other| other.row.id).filter(|other| !leaving.contains(other))
            };
            match target {
                Err(conflict) => conflicts.push((place, conflict)),
                // By its id for one item and by its email for another, or by its id
                // for both.
                Ok(Some(target)) if !meant.insert(target.row.id) => {
                    let conflict = match item.account {
                        Some(_) => ImportConflict::AccountRepeated,
                        None => ImportConflict::AccountOfEmailRepeated,
                    };
                    conflicts.push((place, conflict));
                }
                Ok(target) => match other(target.map(|target| target.row.id)) {
                    Some(other) => {
                        conflicts.push((place, ImportConflict::EmailTaken(other.into())));
                    }
                    None => plans.push(self.plan(organization, item, key, target)),
                },
            }
        }
        if !conflicts.is_empty() {
            return Ok(Err(conflicts));
        }
        self.carry_out(organization, &plans).await?;
        Ok(Ok(plans.iter().map(Plan::outcome).collect()))
    }

    /// The accounts that have one of the client ids, emails or ids. Nobody else
    /// changes them until the transaction ends.
    async fn present(
        &self,
        organization: OrganizationId,
        items: &[ImportedAccount],
        keys: &[String],
    ) -> Result<Known> {
        // Each text by itself: of a list SQLite would rather look through all of
        // the organization.
        let each = |parameter: &str| match self.backend() {
            DbBackend::Sqlite => format!("json_each({parameter}) AS each"),
            _ => format!("json_array_elements_text({parameter}::json) AS each (value)"),
        };
        let having = |column: &str, parameter: &str| {
            format!(
                "SELECT own.id FROM {} CROSS JOIN scim_accounts AS own \
                 WHERE own.organization_id = $1 AND own.{column} = each.value",
                each(parameter)
            )
        };
        let (by_client_id, by_email) = (having("client_id", "$2"), having("email_key", "$3"));
        let ids = super::ids::among(self.backend(), "$4");
        let lock = self.on_postgres("FOR UPDATE OF account");
        let sql = format!(
            "SELECT {} FROM scim_accounts AS account \
             WHERE account.organization_id = $1 AND account.id IN \
                 ({by_client_id} UNION {by_email} \
                  UNION SELECT id FROM scim_accounts WHERE organization_id = $1 AND id{ids}) \
             ORDER BY account.id {lock}",
            columns("account")
        );
        let client_ids: Vec<_> = items.iter().map(|item| &item.client_id).collect();
        let named = items.iter().filter_map(|item| item.account).map(AccountId::as_uuid);
        let values = [
            organization.as_uuid().into(),
            serde_json::json!(client_ids).to_string().into(),
            serde_json::json!(keys).to_string().into(),
            super::ids::value(self.backend(), named),
        ];
        let rows: Vec<Model> = self.query(sql, values).await?;
        let mut present = Known::default();
        for row in rows {
            // Asked when nobody else can be linked to it any more.
            let users = match row.client_id {
                None => self.users_of(organization, &row).await?,
                Some(_) => Users::default(),
            };
            present.add(Present { row, users });
        }
        Ok(present)
    }

    /// What the users of an account have to say of it. That one was linked by a
    /// verified email proves nothing of an email that the account has got since.
    async fn users_of(&self, organization: OrganizationId, account: &Model) -> Result<Users> {
        let verified = LinkReason::EmailVerified.number();
        let created = LinkReason::NoAccount.number();
        let holders = "FROM scim_users AS holder LEFT JOIN scim_configurations AS owner \
                 ON owner.id = holder.configuration_id \
             WHERE holder.account_id = account.id \
                 AND NOT COALESCE(owner.allow_unverified_email_account_linking, FALSE)";
        let sql = format!(
            "SELECT EXISTS (SELECT 1 {holders} \
                     AND NOT (account.email_verified \
                         AND COALESCE(holder.account_reason, 0) IN ({verified}, {created}))) \
                     AS has_unproven, \
                 EXISTS (SELECT 1 {holders}) AS asks_proofs \
             FROM scim_accounts AS account WHERE organization_id = $1 AND id = $2"
        );
        let values = [organization.as_uuid().into(), account.id.into()];
        Ok(self.query(sql, values).await?.pop().unwrap_or_default())
    }

    fn plan(
        &self,
        organization: OrganizationId,
        item: &ImportedAccount,
        key: &str,
        target: Option<&Present>,
    ) -> Plan {
        let before = target.map(|present| present.row.clone());
        let mut after = before.clone().unwrap_or_else(|| Model {
            organization_id: organization.as_uuid(),
            id: AccountId::new(self.now, self.random.id_bytes()).as_uuid(),
            client_id: None,
            email: String::new(),
            email_key: None,
            email_verified: false,
            configuration_id: None,
            created_at: self.now.as_micros(),
            updated_at: self.now.as_micros(),
        });
        // Taken over by its email alone, or given another one, it is no
        // configuration's any more: whoever is provisioned again must prove the email
        // like others.
        let is_other = after.client_id.is_none() || after.email_key.as_deref() != Some(key);
        if is_other && item.account.is_none() {
            after.configuration_id = None;
        }
        after.client_id = Some(item.client_id.clone());
        after.email.clone_from(&item.email);
        after.email_key = Some(key.to_owned());
        after.email_verified = item.email_verified;
        if before.as_ref() != Some(&after) {
            after.updated_at = self.now.as_micros();
        }
        Plan { before, after }
    }

    async fn carry_out(&self, organization: OrganizationId, plans: &[Plan]) -> Result<()> {
        let changes: Vec<_> = plans
            .iter()
            .filter_map(|plan| Some((plan.before.as_ref()?, &plan.after)))
            .filter(|(before, after)| before != after)
            .collect();
        let moves = || changes.iter().filter(|(before, after)| before.email_key != after.email_key);
        let wanted: HashSet<_> = moves().map(|(_, after)| &after.email_key).collect();
        for (before, _) in moves().filter(|(before, _)| wanted.contains(&before.email_key)) {
            // Its email is another's in a moment, and no two may have the same
            // even for that long.
            self.store_account(Model { email_key: None, ..(*before).clone() }).await?;
        }
        for (_, after) in &changes {
            self.store_account((*after).clone()).await?;
        }
        for (before, after) in moves() {
            self.tell_users_email(before, after).await?;
        }
        let mut new: Vec<_> = plans.iter().filter(|plan| plan.before.is_none()).collect();
        // Two imports of the same accounts take them in the same order.
        new.sort_by(|one, other| one.after.email_key.cmp(&other.after.email_key));
        if !new.is_empty() {
            let rows = new.iter().map(|plan| ActiveModel::from(plan.after.clone()));
            let rows = rows.map(ActiveModelTrait::reset_all);
            let insert =
                Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
            if self.perform(&insert).await? < new.len() as u64 {
                // Somebody was provisioned with one of the emails since they were
                // looked for. All is begun anew.
                return Err(Failure::Overtaken("an account was made at the same time").into());
            }
        }
        for plan in plans.iter().filter(|plan| plan.before.as_ref() != Some(&plan.after)) {
            self.record_account(organization, &plan.after.clone().into());
        }
        Ok(())
    }

    async fn store_account(&self, row: Model) -> Result<()> {
        let row = ActiveModel {
            organization_id: Set(row.organization_id),
            id: Set(row.id),
            ..ActiveModel::from(row).reset_all()
        };
        let update = Entity::update(row).validate()?;
        match self.transaction.execute(update.build(self.backend())).await {
            // Somebody was provisioned with the email since it was looked for. All is
            // begun anew.
            Err(failure) if failure.is_unique_violation() => Err(Error::Deadlock(failure)),
            outcome => Ok(outcome.map(drop)?),
        }
    }

    /// Keeps `other_email_key` true of the users of an account that has another
    /// email.
    async fn tell_users_email(&self, before: &Model, after: &Model) -> Result<()> {
        self.execute(
            "UPDATE scim_users SET other_email_key = \
                 CASE WHEN other_email_key = $3 THEN NULL ELSE COALESCE(other_email_key, $2) END \
             WHERE account_id = $1",
            [before.id.into(), before.email_key.clone().into(), after.email_key.clone().into()],
        )
        .await?;
        Ok(())
    }
}

impl Plan {
    fn outcome(&self) -> Import {
        let id = self.after.id.into();
        match &self.before {
            None => Import::Created(id),
            Some(before) if *before == self.after => Import::Unchanged(id),
            Some(_) => Import::Updated(id),
        }
    }
}

/// The items that say a client id or an email again.
fn repeated(items: &[ImportedAccount], keys: &[String]) -> Vec<(usize, ImportConflict)> {
    let (mut ids, mut emails) = (HashMap::new(), HashMap::new());
    let mut found = Vec::new();
    for (place, (item, key)) in items.iter().zip(keys).enumerate() {
        if ids.insert(&item.client_id, place).is_some() {
            found.push((place, ImportConflict::ClientIdRepeated));
        } else if emails.insert(key, place).is_some() {
            found.push((place, ImportConflict::EmailRepeated));
        }
    }
    found
}

/// The account here that an item is about, if there is one.
fn target<'a>(
    present: &'a Known,
    item: &ImportedAccount,
    key: &str,
) -> std::result::Result<Option<&'a Present>, ImportConflict> {
    let known = present.of_client_id(&item.client_id);
    if let Some(id) = item.account {
        let named = present.accounts.get(&id.as_uuid()).ok_or(ImportConflict::NoSuchAccount)?;
        return match (&named.row.client_id, known) {
            (Some(other), _) if *other != item.client_id => Err(ImportConflict::AccountTaken),
            (_, Some(known)) if known.row.id != named.row.id => Err(ImportConflict::ClientIdTaken),
            _ => Ok(Some(named)),
        };
    }
    if known.is_some() {
        return Ok(known);
    }
    let Some(holder) = present.of_email(key) else { return Ok(None) };
    if holder.row.client_id.is_some() {
        // Unless it has another email afterwards, which is looked at later.
        return Ok(None);
    }
    // By the same rule by which its users would be linked to it now.
    let is_proven = item.email_verified && !holder.users.has_unproven;
    if is_proven || !holder.users.asks_proofs {
        Ok(Some(holder))
    } else {
        Err(ImportConflict::EmailUnproven(holder.row.id.into()))
    }
}
