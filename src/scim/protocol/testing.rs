//! What the tests of several modules take: people, and filters about them.
//! Values come from small sets, so that filters hit.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use uuid::Uuid;

use super::projection::Projection;
use super::resource::{self, Meta};
use super::schema::{ResourceType, USER};
use super::value::Object;
use crate::model::{Instant, UserContent};

/// 2026-11-23T20:15:00Z.
pub const NOON: i64 = 1_795_464_900_000_000;

pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A user, as stored and as shown.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: Uuid,
    pub created: Instant,
    pub modified: Instant,
    pub groups: Vec<Uuid>,
    pub content: UserContent,
    pub resource: Object,
}

/// The object that a JSON text of a test is.
pub fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

/// What is shown of a resource.
pub fn applied(projection: &Projection, resource: Object, of: &ResourceType) -> Object {
    let shown = resource.into_iter().filter_map(|(name, value)| {
        let value = projection.part(&name, of).of(value)?;
        Some((name, value))
    });
    shown.collect()
}

pub fn person(body: &Value, id: Uuid, times: (i64, i64), groups: Vec<Uuid>) -> Person {
    let document = resource::incoming(body, &USER).expect("a user").document;
    let content = resource::user_content(document).expect("a user");
    let document = resource::attributes(&content.document).expect("our own JSON");
    let (created, modified) = (Instant::from_micros(times.0), Instant::from_micros(times.1));
    let base_url = "https://scim.test/scim/v2/1";
    let meta = Meta { id, version: 1, created, last_modified: modified, base_url };
    let entries = groups.iter().map(|id| json!({ "value": id.to_string(), "type": "direct" }));
    let resource = resource::outgoing(document, &meta, Some(("groups", entries.collect())), &USER);
    Person { id, created, modified, groups, content, resource }
}

pub fn word() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "A", "ab", "b", "Bä", "bÄ", "a b", "\"q\\", "a]b", "", "é"])
}

fn maybe<T: std::fmt::Debug + Clone>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.7, strategy)
}

fn email() -> impl Strategy<Value = Value> {
    let kind = select(vec!["work", "Work", "home"]);
    (maybe(word()), maybe(kind), maybe(any::<bool>())).prop_map(
        |(value, kind, primary)| json!({ "value": value, "type": kind, "primary": primary }),
    )
}

pub fn small_id() -> impl Strategy<Value = Uuid> {
    (1..4_u128).prop_map(Uuid::from_u128)
}

/// A body that makes a user.
pub fn body() -> impl Strategy<Value = Value> {
    let names = (maybe(word()), maybe(word()), maybe(word()), maybe(word()));
    let lists = (
        proptest::collection::vec(email(), 0..3),
        proptest::collection::vec(email(), 0..2),
        maybe(any::<bool>()),
        maybe(word()),
        maybe(small_id()),
    );
    (names, lists).prop_map(|((family, display, external, title), lists)| {
        let (emails, phones, active, department, manager) = lists;
        json!({
            "userName": format!("u{}", display.unwrap_or("x")),
            "name": { "familyName": family },
            "displayName": display,
            "externalId": external,
            "title": title,
            "active": active,
            "emails": emails,
            "phoneNumbers": phones,
            ENTERPRISE: {
                "department": department,
                "manager": manager.map(|id| id.to_string()),
            },
        })
    })
}

pub fn people() -> impl Strategy<Value = Person> {
    let micros = || select(vec![NOON - 1_000_000, NOON, NOON + 1]);
    let groups = proptest::collection::btree_set(small_id(), 0..2);
    (body(), small_id(), (micros(), micros()), groups).prop_map(|(body, id, times, groups)| {
        person(&body, id, times, groups.into_iter().collect())
    })
}

/// How an attribute compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Exact,
    Folded,
    Boolean,
    Time,
}

/// A filter as the tests write one, without the parser's help.
#[derive(Clone, Debug)]
pub enum Expr {
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    /// How it is spelled, where it is, how it compares, operator, literal.
    Compare(String, Vec<&'static str>, Type, &'static str, Literal),
    Present(String, Vec<&'static str>),
    Element(&'static str, Box<Expr>),
    /// A value path and a comparison behind it.
    ElementThen(&'static str, Box<Expr>, Box<Expr>),
}

/// What stands on the right.
#[derive(Clone, Debug)]
pub enum Literal {
    Null,
    Boolean(bool, &'static str),
    Text(String),
    /// In nanoseconds, as spelled.
    Time(i128, &'static str),
}

/// Spelling, place and type.
pub const ATTRIBUTES: &[(&str, &[&str], Type)] = &[
    ("userName", &["userName"], Type::Folded),
    ("USERNAME", &["userName"], Type::Folded),
    ("urn:ietf:params:scim:schemas:core:2.0:User:userName", &["userName"], Type::Folded),
    ("id", &["id"], Type::Exact),
    ("externalId", &["externalId"], Type::Exact),
    ("displayName", &["displayName"], Type::Folded),
    ("title", &["title"], Type::Folded),
    ("active", &["active"], Type::Boolean),
    ("name.familyName", &["name", "familyName"], Type::Folded),
    ("emails", &["emails", "value"], Type::Folded),
    ("emails.value", &["emails", "value"], Type::Folded),
    ("Emails.Type", &["emails", "type"], Type::Folded),
    ("emails.primary", &["emails", "primary"], Type::Boolean),
    ("phoneNumbers.value", &["phoneNumbers", "value"], Type::Folded),
    ("groups", &["groups", "value"], Type::Exact),
    ("groups.value", &["groups", "value"], Type::Exact),
    ("meta.created", &["meta", "created"], Type::Time),
    ("meta.lastModified", &["meta", "lastModified"], Type::Time),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        &[ENTERPRISE, "department"],
        Type::Folded,
    ),
    ("manager", &[ENTERPRISE, "manager", "value"], Type::Exact),
    ("manager.value", &[ENTERPRISE, "manager", "value"], Type::Exact),
];

const SUB_ATTRIBUTES: &[(&str, &[&str], Type)] = &[
    ("value", &["value"], Type::Folded),
    ("TYPE", &["type"], Type::Folded),
    ("primary", &["primary"], Type::Boolean),
];

type Named = (&'static str, &'static [&'static str], Type);

fn comparison(attributes: &'static [Named]) -> impl Strategy<Value = Expr> {
    let text = prop_oneof![
        3 => word().prop_map(str::to_owned),
        1 => select(vec!["ua", "UAB", "work", "HOME"]).prop_map(str::to_owned),
        2 => small_id().prop_map(|id| id.to_string()),
    ];
    let time = select(vec![
        (i128::from(NOON) * 1_000, "2026-11-23T20:15:00Z"),
        (i128::from(NOON) * 1_000, "2026-11-23T21:15:00.000+01:00"),
        (i128::from(NOON) * 1_000 + 500, "2026-11-23T20:15:00.0000005Z"),
        (i128::from(NOON) * 1_000 + 1_000, "2026-11-23T20:15:00.000001Z"),
        (i128::from(NOON) * 1_000 - 999_999_900, "2026-11-23T20:14:59.0000001Z"),
    ]);
    let flag =
        select(vec![(true, "true"), (false, "false"), (true, "\"True\""), (false, "\"False\"")]);
    let equality = || select(vec!["eq", "ne", "EQ"]);
    let order = select(vec!["eq", "ne", "gt", "ge", "lt", "Le"]);
    let any_operator =
        select(vec!["eq", "eq", "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]);
    let is_null = proptest::bool::weighted(0.1);
    let parts = (select(attributes), text, time, flag, (equality(), order, any_operator), is_null);
    parts.prop_map(|((name, place, of), text, time, flag, operators, is_null)| {
        let (operator, literal) = match of {
            _ if is_null => (operators.0, Literal::Null),
            Type::Boolean => (operators.0, Literal::Boolean(flag.0, flag.1)),
            Type::Time => (operators.1, Literal::Time(time.0, time.1)),
            Type::Exact | Type::Folded => (operators.2, Literal::Text(text)),
        };
        Expr::Compare(name.to_owned(), place.to_vec(), of, operator, literal)
    })
}

fn leaf(attributes: &'static [Named]) -> impl Strategy<Value = Expr> {
    prop_oneof![
        5 => comparison(attributes),
        1 => select(attributes)
            .prop_map(|(name, place, _)| Expr::Present(name.to_owned(), place.to_vec())),
    ]
}

fn joined(inner: impl Strategy<Value = Expr> + Clone + 'static) -> BoxedStrategy<Expr> {
    let pair = (inner.clone(), inner.clone());
    prop_oneof![
        pair.clone().prop_map(|(one, other)| Expr::And(Box::new(one), Box::new(other))),
        pair.prop_map(|(one, other)| Expr::Or(Box::new(one), Box::new(other))),
        inner.prop_map(|one| Expr::Not(Box::new(one))),
    ]
    .boxed()
}

pub fn expr() -> impl Strategy<Value = Expr> {
    let many = || select(vec!["emails", "phoneNumbers"]);
    let within = || leaf(SUB_ATTRIBUTES).prop_recursive(2, 4, 2, joined);
    let then = comparison(SUB_ATTRIBUTES);
    let any_leaf = prop_oneof![
        4 => leaf(ATTRIBUTES),
        1 => (many(), within()).prop_map(|(name, inner)| Expr::Element(name, Box::new(inner))),
        1 => (many(), within(), then).prop_map(|(name, inner, then)| {
            Expr::ElementThen(name, Box::new(inner), Box::new(then))
        }),
    ];
    any_leaf.prop_recursive(4, 12, 2, joined)
}

impl Expr {
    /// As a client writes it, with no more parentheses than are needed.
    pub fn text(&self) -> String {
        let tight = |part: &Self| match part {
            Self::Or(..) => format!("({})", part.text()),
            part => part.text(),
        };
        match self {
            Self::And(one, other) => format!("{} and {}", tight(one), tight(other)),
            Self::Or(one, other) => format!("{} or {}", one.text(), other.text()),
            Self::Not(part) => format!("not ({})", part.text()),
            Self::Compare(name, _, _, operator, literal) => {
                let literal = match literal {
                    Literal::Null => "null".to_owned(),
                    Literal::Boolean(_, text) => (*text).to_owned(),
                    Literal::Text(text) => Value::from(text.as_str()).to_string(),
                    Literal::Time(_, text) => format!("\"{text}\""),
                };
                format!("{name} {operator} {literal}")
            }
            Self::Present(name, _) => format!("{name} pr"),
            Self::Element(name, inner) => format!("{name}[{}]", inner.text()),
            Self::ElementThen(name, inner, then) => {
                format!("{name}[{}].{}", inner.text(), then.text())
            }
        }
    }
}
