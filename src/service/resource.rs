//! Users and groups, from what is stored of them to messages.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::Value as Json;

use super::accounts;
use super::error::Error;
use crate::model::{
    ConfigurationId, Group as StoredGroup, Instant, MemberId, OrganizationId, PrimaryEmail,
    User as StoredUser, is_verified,
};
use crate::proto::scimd::v1::{Email, Group, Member, User, member};
use crate::repository;

/// Whose a resource is.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    pub organization: OrganizationId,
    pub configuration: ConfigurationId,
}

/// The parts of a resource that no document says.
struct Meta {
    id: String,
    resource_type: &'static str,
    schema: &'static str,
    version: u64,
    created_at: Instant,
    updated_at: Instant,
}

type Object = serde_json::Map<String, Json>;

/// The message of a user.
pub fn user(owner: Owner, user: &StoredUser) -> Result<User, Error> {
    let document = read(&user.document)?;
    let meta = Meta {
        id: user.id.to_string(),
        resource_type: "User",
        schema: "urn:ietf:params:scim:schemas:core:2.0:User",
        version: user.version,
        created_at: user.created_at,
        updated_at: user.updated_at,
    };
    let emails: Vec<_> = document.get("emails").map(emails).unwrap_or_default();
    let primary = PrimaryEmail::of(&document);
    let of_name = |part: &str| document.get("name").map(|name| text(name.get(part)));
    let display_name = match text(document.get("displayName")) {
        empty if empty.is_empty() => of_name("formatted").unwrap_or_default(),
        name => name,
    };
    Ok(User {
        id: meta.id.clone(),
        organization_id: owner.organization.to_string(),
        scim_configuration_id: owner.configuration.to_string(),
        user_name: text(document.get("userName")),
        external_id: text(document.get("externalId")),
        active: document.get("active") == Some(&Json::Bool(true)),
        display_name,
        given_name: of_name("givenName").unwrap_or_default(),
        family_name: of_name("familyName").unwrap_or_default(),
        email: primary.map(|email| email.text).unwrap_or_default(),
        emails,
        version: user.version,
        created_at: Some(user.created_at.into()),
        updated_at: Some(user.updated_at.into()),
        resource: Some(resource(document, meta)),
        account_link: accounts::link(user.link),
    })
}

/// The message of a group.
pub fn group(owner: Owner, group: &StoredGroup) -> Result<Group, Error> {
    let document = read(&group.document)?;
    let meta = Meta {
        id: group.id.to_string(),
        resource_type: "Group",
        schema: "urn:ietf:params:scim:schemas:core:2.0:Group",
        version: group.version,
        created_at: group.created_at,
        updated_at: group.updated_at,
    };
    Ok(Group {
        id: meta.id.clone(),
        organization_id: owner.organization.to_string(),
        scim_configuration_id: owner.configuration.to_string(),
        display_name: text(document.get("displayName")),
        external_id: text(document.get("externalId")),
        version: group.version,
        created_at: Some(group.created_at.into()),
        updated_at: Some(group.updated_at.into()),
        resource: Some(resource(document, meta)),
    })
}

impl From<MemberId> for Member {
    fn from(member: MemberId) -> Self {
        let member = match member {
            MemberId::User(id) => member::Member::UserId(id.to_string()),
            MemberId::Group(id) => member::Member::GroupId(id.to_string()),
        };
        Self { member: Some(member) }
    }
}

pub fn read(document: &str) -> Result<Object, Error> {
    serde_json::from_str(document).map_err(|_| repository::Error::Corrupt("document").into())
}

fn text(value: Option<&Json>) -> String {
    value.and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn emails(emails: &Json) -> Vec<Email> {
    let emails = emails.as_array().map(Vec::as_slice).unwrap_or_default();
    let email = |email: &Json| Email {
        value: text(email.get("value")),
        r#type: text(email.get("type")),
        primary: email.get("primary") == Some(&Json::Bool(true)),
        verified: is_verified(email),
    };
    emails.iter().map(email).collect()
}

/// The whole resource. What the document says of its own `id`, `meta` or
/// `schemas` does not count: those are ours to say (RFC 7643 3.1).
fn resource(document: Object, meta: Meta) -> Struct {
    let texts = |texts: Vec<String>| list(texts.into_iter().map(string).collect());
    let extensions = document.keys().filter(|name| name.contains(':')).cloned();
    let schemas = std::iter::once(meta.schema.to_owned()).chain(extensions).collect();
    let mut resource = structure(document);
    let about = [
        ("resourceType", meta.resource_type.to_owned()),
        ("created", meta.created_at.to_string()),
        ("lastModified", meta.updated_at.to_string()),
        ("version", format!("W/\"{}\"", meta.version)),
    ];
    let about = about.map(|(name, value)| (name.to_owned(), string(value))).into_iter().collect();
    let own = [
        ("schemas", texts(schemas)),
        ("id", string(meta.id)),
        ("meta", Value { kind: Some(Kind::StructValue(Struct { fields: about })) }),
    ];
    resource.fields.extend(own.map(|(name, value)| (name.to_owned(), value)));
    resource
}

fn structure(object: Object) -> Struct {
    Struct { fields: object.into_iter().map(|(name, value)| (name, value_of(value))).collect() }
}

fn value_of(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(flag) => Kind::BoolValue(flag),
        // A Struct knows no other numbers.
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Json::String(text) => return string(text),
        Json::Array(items) => return list(items.into_iter().map(value_of).collect()),
        Json::Object(object) => Kind::StructValue(structure(object)),
    };
    Value { kind: Some(kind) }
}

fn string(text: String) -> Value {
    Value { kind: Some(Kind::StringValue(text)) }
}

fn list(values: Vec<Value>) -> Value {
    Value { kind: Some(Kind::ListValue(ListValue { values })) }
}
