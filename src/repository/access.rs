//! Whether a person may sign in now.

#[cfg(test)]
mod tests;

use sea_orm::Value;
use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::{Error, Read, Result};
use crate::model::{
    Access, AccessDecision, AccessOfUser, AccountId, ConfigurationId, OrganizationId, Person,
};

/// How many users are told of; of more, those that allow most.
const USERS_AT_MOST: i64 = 100;

/// The configurations of an organization, with those that are being deleted, in
/// which a name is looked for.
const OWNERS: &str = "(SELECT id FROM scim_configurations WHERE organization_id = $1 \
     UNION ALL SELECT configuration_id FROM scim_purges WHERE organization_id = $1) AS owner";

impl Read {
    /// Whether a person may sign in now: one statement, answered by indexes.
    ///
    /// `configuration`: the only one in which a `userName`, `externalId` or email
    /// is looked for. Who is found counts with all users of the same account. Who
    /// is found only as what an account remembers does not: the name may be
    /// another's by now.
    pub async fn access(
        &self,
        organization: OrganizationId,
        person: &Person,
        configuration: Option<ConfigurationId>,
    ) -> Result<AccessDecision> {
        let (sql, value) = statement(person);
        let values = [
            organization.as_uuid().into(),
            value,
            configuration.map(ConfigurationId::as_uuid).into(),
            USERS_AT_MOST.into(),
        ];
        let rows: Vec<Row> = self.connection.query(&sql, values).await?;
        decision(&rows)
    }
}

/// The statement and what is asked, `$2`. `$1` is the organization, `$3` the one
/// configuration, if any, `$4` how many are told of.
///
/// SQLite keeps the order of `CROSS JOIN`: without statistics it begins with any
/// table otherwise. PostgreSQL chooses the order itself.
fn statement(person: &Person) -> (String, Value) {
    let Search { account, user, former, value } = search(person);
    // Users that are meant by what they are called.
    let named = user.map_or_else(String::new, |column| {
        // The email of an account is that account's alone, whoever has it besides.
        let is_free = account.map_or_else(String::new, |column| {
            format!(
                "AND NOT EXISTS (SELECT 1 FROM scim_accounts AS own \
                 WHERE own.organization_id = $1 AND own.{column} = $2)"
            )
        });
        format!(
            "named AS (SELECT person.configuration_id, person.id, person.active, \
                 person.account_id FROM {OWNERS} CROSS JOIN scim_users AS person \
             WHERE person.configuration_id = owner.id AND person.{column} = $2 \
                 AND ($3 IS NULL OR owner.id = $3) {is_free}), "
        )
    });
    let of_account = account.map(|column| {
        format!("SELECT id FROM scim_accounts WHERE organization_id = $1 AND {column} = $2")
    });
    // By an email, too, somebody is looked for in one configuration.
    let is_there = user.filter(|_| account.is_some()).map_or("", |_| {
        "AND ($3 IS NULL OR EXISTS (SELECT 1 FROM scim_users AS there \
         WHERE there.account_id = meant.account_id AND there.configuration_id = $3))"
    });
    let of_named = user.map(|_| "SELECT account_id FROM named".to_owned());
    let meant = of_account.into_iter().chain(of_named).collect::<Vec<_>>().join(" UNION ALL ");
    let and_named = user.map_or("", |_| "SELECT * FROM named UNION ");
    let former = former.iter().map(|condition| {
        format!(
            "UNION ALL SELECT 1, former.configuration_id, former.user_id, former.account_id \
             FROM {condition} AND ($3 IS NULL OR former.configuration_id = $3) "
        )
    });
    let former: String = former.collect();
    let sql = format!(
        "WITH {named}meant (account_id) AS ({meant}), \
         found AS ({and_named}\
             SELECT person.configuration_id, person.id, person.active, person.account_id \
             FROM meant CROSS JOIN scim_users AS person \
             WHERE person.account_id = meant.account_id {is_there}), \
         told AS ( \
             SELECT CAST(CASE WHEN owner.id IS NULL THEN 1 WHEN NOT found.active THEN 2 \
                     WHEN NOT owner.enabled THEN 3 ELSE 4 END AS bigint) AS access, \
                 found.configuration_id, found.id AS user_id, found.account_id \
             FROM found LEFT JOIN scim_configurations AS owner \
                 ON owner.id = found.configuration_id \
             {former}\
             UNION ALL SELECT 0, NULL, NULL, meant.account_id FROM meant \
             WHERE meant.account_id IS NOT NULL) \
         SELECT told.access, told.configuration_id, told.user_id, account.id AS account_id, \
             account.client_id \
         FROM told LEFT JOIN scim_accounts AS account \
             ON account.organization_id = $1 AND account.id = told.account_id \
         ORDER BY told.access DESC, told.configuration_id, told.user_id LIMIT $4"
    );
    (sql, value)
}

/// How a person is found.
struct Search {
    /// By which column of its account.
    account: Option<&'static str>,
    /// By which column of a user.
    user: Option<&'static str>,
    /// What is true of a deleted user that was meant, each by an index of its own.
    former: Vec<&'static str>,
    /// What is asked.
    value: Value,
}

fn search(person: &Person) -> Search {
    const OF_ACCOUNT: &str = "meant CROSS JOIN scim_former_users AS former \
         WHERE former.account_id = meant.account_id";
    let (account, user, former, value) = match person {
        Person::Account(id) => (Some("id"), None, vec![OF_ACCOUNT], id.as_uuid().into()),
        Person::ClientId(id) => (Some("client_id"), None, vec![OF_ACCOUNT], id.as_str().into()),
        Person::Email(key) => {
            const OF_EMAIL: &str = "scim_former_users AS former \
                 WHERE former.organization_id = $1 AND former.email_key = $2";
            let (account, user) = (Some("email_key"), Some("other_email_key"));
            (account, user, vec![OF_ACCOUNT, OF_EMAIL], key.as_str().into())
        }
        Person::UserName(key) => {
            const OF_NAME: &str = "scim_former_users AS former \
                 WHERE former.organization_id = $1 AND former.user_name_key = $2";
            (None, Some("user_name_key"), vec![OF_NAME], key.as_str().into())
        }
        Person::ExternalId(id) => {
            const OF_ID: &str = "scim_former_users AS former \
                 WHERE former.organization_id = $1 AND former.external_id = $2";
            (None, Some("external_id"), vec![OF_ID], id.as_str().into())
        }
    };
    Search { account, user, former, value }
}

/// What follows from what was found: whoever is let in by one is let in.
fn decision(rows: &[Row]) -> Result<AccessDecision> {
    let Some(first) = rows.first() else {
        return Ok(AccessDecision {
            access: Access::Unknown,
            account: None,
            client_id: None,
            users: Vec::new(),
        });
    };
    let (access, account) = (access(first.access)?, first.account_id);
    let client_id = first.client_id.clone();
    let mut users = Vec::new();
    for row in rows {
        let (Some(configuration), Some(user)) = (row.configuration_id, row.user_id) else {
            continue;
        };
        let of_user = self::access(row.access)?;
        // Whoever had the name before is somebody else.
        if of_user == Access::Deleted && access > of_user && row.account_id != account {
            continue;
        }
        let one = AccessOfUser {
            configuration: configuration.into(),
            user: user.into(),
            access: of_user,
        };
        // Found in two ways.
        if !users.contains(&one) {
            users.push(one);
        }
    }
    Ok(AccessDecision { access, account: account.map(AccountId::from), client_id, users })
}

fn access(number: i64) -> Result<Access> {
    Ok(match number {
        0 => Access::Unknown,
        1 => Access::Deleted,
        2 => Access::Deactivated,
        3 => Access::ConfigurationDisabled,
        4 => Access::Allowed,
        _ => return Err(Error::Corrupt("an access")),
    })
}

struct Row {
    access: i64,
    configuration_id: Option<Uuid>,
    user_id: Option<Uuid>,
    account_id: Option<Uuid>,
    client_id: Option<String>,
}

from_row!(Row { access, configuration_id, user_id, account_id, client_id });
