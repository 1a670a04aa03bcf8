//! `scimd.v1.AccountService`: whom the application knows, and who may sign in.

use std::sync::Arc;

use super::error::Error;
use super::pagination;
use super::resource::read;
use super::rules::{Violation, id};
use crate::auth::Caller;
use crate::model::{
    self, Access, AccountFilter, AccountId, ConfigurationId, Import, ImportConflict, LinkReason,
    LinkRefusal, OrganizationId, Person, PrimaryEmail, Scope, User, fold,
};
use crate::proto::scimd::v1::account_service_server::AccountService;
use crate::proto::scimd::v1::{
    self as proto, AccessOfUser, AccessReason, Account, AccountImport, AccountImportOutcome,
    AccountLink, AccountLinkDecision, AccountLinkReason, CheckAccessRequest, CheckAccessResponse,
    DeleteAccountRequest, DeleteAccountResponse, ImportAccountsRequest, ImportAccountsResponse,
    ListAccountsRequest, ListAccountsResponse,
};
use crate::repository::Repository;
use crate::telemetry;

/// Longer addresses, in bytes, have no index entry on PostgreSQL.
const MAX_KEY: usize = 2_000;

/// The service. Requests reach it authenticated, within the caller's role, and
/// with all rules of their fields kept.
pub struct Accounts {
    repository: Repository,
}

impl Accounts {
    /// A service over `repository`.
    #[must_use]
    pub const fn new(repository: Repository) -> Self {
        Self { repository }
    }

    /// Takes over what the application tells of its accounts.
    pub async fn import_accounts(
        self: Arc<Self>,
        caller: Caller,
        request: ImportAccountsRequest,
    ) -> Result<ImportAccountsResponse, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        let accounts = imported(request.accounts)?;

        let repository = self.repository.on_behalf_of(caller.origin());
        let imported = repository.import_accounts(organization, &accounts).await?;
        let imports = imported.map_err(|conflicts| {
            let told = conflicts.into_iter().map(|(place, conflict)| told(place, conflict));
            Error::AccountConflict(told.collect())
        })?;

        Ok(ImportAccountsResponse { imports: imports.into_iter().map(Into::into).collect() })
    }

    /// Lists accounts of an organization.
    pub async fn list_accounts(
        self: Arc<Self>,
        caller: Caller,
        request: ListAccountsRequest,
    ) -> Result<ListAccountsResponse, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        let (after, limit) = pagination::behind_id(request.pagination.as_ref())?;
        let filter = AccountFilter {
            email_key: searched("email", request.email)?.map(|email| fold(&email)),
            client_id: searched("client_id", request.client_id)?,
        };
        // One more than asked for tells whether there is a next page.
        let after = after.map(AccountId::from);
        let store = self.repository.read();
        let mut accounts =
            store.accounts(organization, &filter, after, u64::from(limit) + 1).await?;
        let more = accounts.len() > limit as usize;
        accounts.truncate(limit as usize);
        let next = accounts.last().filter(|_| more).map(|last| last.id.as_uuid());
        Ok(ListAccountsResponse {
            pagination: Some(pagination::next(next)),
            accounts: accounts.into_iter().map(|found| account(organization, found)).collect(),
        })
    }

    /// Removes an account.
    pub async fn delete_account(
        self: Arc<Self>,
        caller: Caller,
        request: DeleteAccountRequest,
    ) -> Result<DeleteAccountResponse, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        let id: AccountId = id("account_id", &request.account_id)?;

        let repository = self.repository.on_behalf_of(caller.origin());
        if !repository.delete_account(organization, id).await? {
            return Err(Error::AccountNotFound(id));
        }

        tracing::info!(id = telemetry::request(), %caller.key, account = %id, "account deleted");
        Ok(DeleteAccountResponse {})
    }

    /// Says whether a person may sign in now.
    pub async fn check_access(
        self: Arc<Self>,
        caller: Caller,
        request: CheckAccessRequest,
    ) -> Result<CheckAccessResponse, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        let configuration: Option<ConfigurationId> = match &*request.scim_configuration_id {
            "" => None,
            text => Some(id("scim_configuration_id", text)?),
        };
        let person = person(request)?;
        let store = self.repository.read();
        let decision = store.access(organization, &person, configuration).await?;
        // Whose users are remembered need not be there any more.
        if let Some(named) = configuration
            && !decision.users.iter().any(|of_user| of_user.configuration == named)
        {
            let found = store.configuration(Scope::Organization(organization), named).await?;
            found.ok_or(Error::ConfigurationNotFound(named))?;
        }
        let users = decision.users.into_iter().map(|of_user| AccessOfUser {
            scim_configuration_id: of_user.configuration.to_string(),
            user_id: of_user.user.to_string(),
            reason: AccessReason::from(of_user.access).into(),
        });
        Ok(CheckAccessResponse {
            allowed: decision.access == Access::Allowed,
            reason: AccessReason::from(decision.access).into(),
            account_id: decision.account.map(|id| id.to_string()).unwrap_or_default(),
            client_id: decision.client_id.unwrap_or_default(),
            users: users.collect(),
        })
    }
}

super::transport::serve!(Accounts as AccountService, "scimd.v1.AccountService" {
    "ImportAccounts" => import_accounts(ImportAccountsRequest) -> ImportAccountsResponse;
    "ListAccounts" => list_accounts(ListAccountsRequest) -> ListAccountsResponse;
    "DeleteAccount" => delete_account(DeleteAccountRequest) -> DeleteAccountResponse;
    "CheckAccess" => check_access(CheckAccessRequest) -> CheckAccessResponse;
});

/// The message of an account.
pub fn account(organization: OrganizationId, account: model::Account) -> Account {
    Account {
        id: account.id.to_string(),
        organization_id: organization.to_string(),
        client_id: account.client_id.unwrap_or_default(),
        email: account.email,
        email_verified: account.email_verified,
        created_at: Some(account.created_at.into()),
        updated_at: Some(account.updated_at.into()),
    }
}

/// The account that was made together with a user, if one was.
pub fn made_with(organization: OrganizationId, user: &User) -> Result<Option<Account>, Error> {
    let (Some(id), Some(LinkReason::NoAccount)) = (user.link.account, user.link.reason) else {
        return Ok(None);
    };
    let email = PrimaryEmail::of(&read(&user.document)?);
    Ok(email.map(|email| {
        let made = model::Account {
            id,
            client_id: None,
            email: email.text,
            email_verified: email.verified,
            created_at: user.created_at,
            updated_at: user.created_at,
        };
        account(organization, made)
    }))
}

/// The message of a link, if anything was decided.
pub fn link(link: model::Link) -> Option<AccountLink> {
    let reason = link.reason?;
    let decision = match reason {
        LinkReason::NoAccount => AccountLinkDecision::Created,
        LinkReason::EmailVerified | LinkReason::UnverifiedAllowed | LinkReason::MadeBefore => {
            AccountLinkDecision::Linked
        }
        LinkReason::AccountDeleted => AccountLinkDecision::Unlinked,
        LinkReason::EmailUnverified | LinkReason::AccountEmailUnverified => {
            AccountLinkDecision::Refused
        }
    };
    Some(AccountLink {
        account_id: link.account.map(|id| id.to_string()).unwrap_or_default(),
        decision: decision.into(),
        reason: AccountLinkReason::try_from(reason.number()).unwrap_or_default().into(),
    })
}

impl From<LinkRefusal> for proto::LinkRefusal {
    fn from(refusal: LinkRefusal) -> Self {
        let of = model::Link { account: Some(refusal.account), reason: Some(refusal.reason) };
        Self {
            account_link: link(of),
            user_name: refusal.user_name,
            external_id: refusal.external_id.unwrap_or_default(),
            email: refusal.email,
            user_id: refusal.user.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

impl From<Access> for AccessReason {
    fn from(access: Access) -> Self {
        match access {
            Access::Unknown => Self::Unknown,
            Access::Deleted => Self::Deleted,
            Access::Deactivated => Self::Deactivated,
            Access::ConfigurationDisabled => Self::ConfigurationDisabled,
            Access::Allowed => Self::Allowed,
        }
    }
}

impl From<Import> for AccountImport {
    fn from(import: Import) -> Self {
        let (id, outcome) = match import {
            Import::Created(id) => (id, AccountImportOutcome::Created),
            Import::Updated(id) => (id, AccountImportOutcome::Updated),
            Import::Unchanged(id) => (id, AccountImportOutcome::Unchanged),
        };
        Self { account_id: id.to_string(), outcome: outcome.into() }
    }
}

/// The accounts of a request, if the store can hold them.
fn imported(accounts: Vec<proto::ImportedAccount>) -> Result<Vec<model::ImportedAccount>, Error> {
    let (mut imported, mut violations) = (Vec::with_capacity(accounts.len()), Vec::new());
    for (place, account) in accounts.into_iter().enumerate() {
        let mut refuse = |field: &str, description: &str| {
            violations.push(Violation::new(format!("accounts[{place}].{field}"), description));
        };
        for (field, text) in [("client_id", &account.client_id), ("email", &account.email)] {
            if text.contains('\0') {
                refuse(field, NUL);
            }
        }
        if account.email.trim().is_empty() {
            refuse("email", "must be an address");
        }
        if fold(&account.email).len() > MAX_KEY {
            refuse("email", "must have at most 2000 bytes");
        }
        imported.push(model::ImportedAccount {
            // The rules of the message have it that it is one, or empty.
            account: account.account_id.parse().ok(),
            client_id: account.client_id,
            email: account.email,
            email_verified: account.email_verified,
        });
    }
    if violations.is_empty() { Ok(imported) } else { Err(Error::Invalid(violations)) }
}

/// What stands in the way of an item.
fn told(place: usize, conflict: ImportConflict) -> Violation {
    let (field, description) = match conflict {
        ImportConflict::ClientIdRepeated => {
            ("client_id", "is that of an earlier account of the request".to_owned())
        }
        ImportConflict::EmailRepeated => {
            ("email", "is that of an earlier account of the request".to_owned())
        }
        ImportConflict::AccountRepeated => {
            ("account_id", "is that of an earlier account of the request".to_owned())
        }
        ImportConflict::AccountOfEmailRepeated => {
            ("email", "is that of an account that an earlier one of the request is".to_owned())
        }
        ImportConflict::EmailTaken(id) => (
            "email",
            format!(
                "is that of another account, {id}; tell that one's new email in the same \
                 request, or remove it"
            ),
        ),
        ImportConflict::EmailUnproven(id) => (
            "email",
            format!(
                "is that of account {id}, made for a user whose email is not marked as verified \
                 on both sides; name it in account_id to say that the two are one person"
            ),
        ),
        ImportConflict::NoSuchAccount => ("account_id", "is that of no account".to_owned()),
        ImportConflict::AccountTaken => {
            ("account_id", "is that of an account with another client id".to_owned())
        }
        ImportConflict::ClientIdTaken => {
            ("client_id", "is that of another account than account_id".to_owned())
        }
    };
    Violation::new(format!("accounts[{place}].{field}"), description)
}

/// Who is meant: just one field says it.
fn person(request: CheckAccessRequest) -> Result<Person, Error> {
    let account: Option<AccountId> = match &*request.account_id {
        "" => None,
        text => Some(id("account_id", text)?),
    };
    let said = [
        searched("email", request.email)?.map(|text| Person::Email(fold(&text))),
        searched("user_name", request.user_name)?.map(|text| Person::UserName(fold(&text))),
        searched("external_id", request.external_id)?.map(Person::ExternalId),
        searched("client_id", request.client_id)?.map(Person::ClientId),
        account.map(Person::Account),
    ];
    let mut said: Vec<_> = said.into_iter().flatten().collect();
    match (said.pop(), said.is_empty()) {
        (Some(person), true) => Ok(person),
        _ => Err(Violation::new(
            "email",
            "or one other of user_name, external_id, account_id and client_id must be set, \
             and no more than one",
        )
        .into()),
    }
}

const NUL: &str = "must not contain the character U+0000";

/// A text to search by; none where it is empty. PostgreSQL has no text with NUL.
fn searched(field: &str, text: String) -> Result<Option<String>, Violation> {
    if text.contains('\0') {
        return Err(Violation::new(field, NUL));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_numbers_and_names_of_the_contract() {
        for number in 1..100 {
            let ours = LinkReason::from_number(number.into()).map(|reason| format!("{reason:?}"));
            let theirs = AccountLinkReason::try_from(number).ok();
            assert_eq!(ours, theirs.map(|reason| format!("{reason:?}")), "{number}");
        }
    }
}
