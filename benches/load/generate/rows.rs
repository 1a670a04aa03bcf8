//! The rows that a directory comes to, as the server itself would write them.

use scimd::clock::{Clock as _, SystemClock};
use uuid::Uuid;

use crate::directory::{Directory, Person, Team, instant};
use crate::meaning::Value;
use crate::world::Spare;

/// A table that is filled.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
}

pub const USERS: Table = Table {
    name: "scim_users",
    columns: &[
        "configuration_id",
        "id",
        "user_name_key",
        "external_id",
        "display_name_key",
        "active",
        "document",
        "version",
        "created_at",
        "updated_at",
        "account_id",
        "account_reason",
        "other_email_key",
    ],
};
pub const ACCOUNTS: Table = Table {
    name: "scim_accounts",
    columns: &[
        "organization_id",
        "id",
        "client_id",
        "email",
        "email_key",
        "email_verified",
        "configuration_id",
        "created_at",
        "updated_at",
    ],
};
pub const EMAILS: Table =
    Table { name: "scim_user_emails", columns: &["configuration_id", "value_key", "user_id"] };
pub const GROUPS: Table = Table {
    name: "scim_groups",
    columns: &[
        "configuration_id",
        "id",
        "display_name_key",
        "external_id",
        "document",
        "member_count",
        "version",
        "created_at",
        "updated_at",
    ],
};
pub const MEMBERS: Table = Table {
    name: "scim_group_members",
    columns: &["configuration_id", "group_id", "member_id", "member_kind"],
};
pub const CONFIGURATIONS: Table = Table {
    name: "scim_configurations",
    columns: &[
        "id",
        "organization_id",
        "name",
        "enabled",
        "sso_configuration_id",
        "allow_unverified_email_account_linking",
        "token_hash",
        "token_lifetime",
        "token_expires_at",
        "created_at",
        "updated_at",
    ],
};
pub const NOTICES: Table =
    Table { name: "scim_token_notices", columns: &["configuration_id", "due_at"] };
pub const ALL: [&Table; 7] =
    [&USERS, &ACCOUNTS, &EMAILS, &GROUPS, &MEMBERS, &CONFIGURATIONS, &NOTICES];
/// Tables that the server alone writes to, or that only a number changes in.
pub const UNFILLED: [&str; 10] = [
    "api_keys",
    "scim_directory_counts",
    "scim_events",
    "scim_feeds",
    "scim_former_users",
    "scim_link_refusals",
    "scim_purges",
    "scim_webhook_endpoints",
    "scim_webhook_secrets",
    "seaql_migrations",
];

pub type Row = Vec<Value>;

pub fn user(configuration: Uuid, person: Person) -> Row {
    vec![
        Value::Uuid(configuration),
        Value::Uuid(person.id()),
        Value::Text(person.user_name()),
        Value::Text(person.external_id()),
        Value::Text(person.display_name().to_lowercase()),
        Value::Boolean(true),
        Value::Text(person.document(true)),
        Value::Integer(1),
        Value::Integer(person.created_at()),
        Value::Integer(person.created_at()),
        Value::Uuid(person.account()),
        // No account had the email.
        Value::Integer(1),
        Value::Null,
    ]
}

pub fn account(organization: Uuid, configuration: Uuid, person: Person) -> Row {
    let [email, _] = person.emails();
    vec![
        Value::Uuid(organization),
        Value::Uuid(person.account()),
        Value::Null,
        Value::Text(email.clone()),
        Value::Text(email),
        Value::Boolean(false),
        Value::Uuid(configuration),
        Value::Integer(person.created_at()),
        Value::Integer(person.created_at()),
    ]
}

pub fn emails(configuration: Uuid, person: Person) -> impl Iterator<Item = Row> {
    person.emails().into_iter().map(move |email| {
        vec![Value::Uuid(configuration), Value::Text(email), Value::Uuid(person.id())]
    })
}

pub fn group(configuration: Uuid, team: Team, members: u64) -> Row {
    vec![
        Value::Uuid(configuration),
        Value::Uuid(team.id()),
        Value::Text(team.display_name(0).to_lowercase()),
        Value::Text(team.external_id()),
        Value::Text(team.document(0)),
        Value::Integer(i64::try_from(members).expect("fewer than there are people")),
        Value::Integer(1),
        Value::Integer(team.created_at()),
        Value::Integer(team.created_at()),
    ]
}

pub fn member(configuration: Uuid, team: Team, person: Person) -> Row {
    vec![
        Value::Uuid(configuration),
        Value::Uuid(team.id()),
        Value::Uuid(person.id()),
        Value::Integer(0),
    ]
}

/// A year, and how long before its end a token's owner is told, in microseconds.
const YEAR: i64 = 31_536_000_000_000;
const NOTICE: i64 = 2_592_000_000_000;

/// A configuration whose token nobody has; it was replaced `now`, so that no
/// notice of its end is due for a while.
pub fn spare(organization: Uuid, spare: Spare, now: i64) -> Row {
    let mut hash = vec![0; 16];
    hash.extend(spare.id().as_bytes());
    vec![
        Value::Uuid(spare.id()),
        Value::Uuid(organization),
        Value::Text(SPARE_NAME.to_owned()),
        Value::Boolean(true),
        Value::Uuid(organization),
        Value::Boolean(false),
        Value::Bytes(hash),
        Value::Integer(YEAR),
        Value::Integer(now + YEAR),
        Value::Integer(instant(spare.0)),
        Value::Integer(now),
    ]
}

/// What every configuration is called at first.
pub const SPARE_NAME: &str = "Configuration, revision 0000000000";

pub fn notice(spare: Spare, now: i64) -> Row {
    vec![Value::Uuid(spare.id()), Value::Integer(now + YEAR - NOTICE)]
}

/// Every row of a directory, table by table.
pub fn all<'a>(
    directory: &'a Directory,
    configuration: Uuid,
    organization: Uuid,
    spares: u64,
) -> [(&'static Table, Box<dyn Iterator<Item = Row> + 'a>); 7] {
    let now = SystemClock.now().as_micros();
    let people = || (0..directory.users).map(Person);
    let members_of =
        move |team| directory.members(team).map(move |person| member(configuration, team, person));
    let members_in = |team: Team| team.size.min(directory.users);
    let users = people().map(move |person| user(configuration, person));
    let accounts = people().map(move |person| account(organization, configuration, person));
    let emails = people().flat_map(move |person| emails(configuration, person));
    let groups =
        directory.all_teams().map(move |team| group(configuration, team, members_in(team)));
    let members = directory.all_teams().flat_map(members_of);
    let notices = (0..spares).map(move |number| notice(Spare(number), now));
    let spares = (0..spares).map(move |number| spare(organization, Spare(number), now));
    [
        (&USERS, Box::new(users)),
        (&ACCOUNTS, Box::new(accounts)),
        (&EMAILS, Box::new(emails)),
        (&GROUPS, Box::new(groups)),
        (&MEMBERS, Box::new(members)),
        (&CONFIGURATIONS, Box::new(spares)),
        (&NOTICES, Box::new(notices)),
    ]
}
