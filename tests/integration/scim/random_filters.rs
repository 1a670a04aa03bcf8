//! Random filters over random resources find whom a naive reading of the RFC
//! finds.

mod expression;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use self::expression::Type::{Boolean, Exact, Folded, Time};
use self::expression::{Attribute, Vocabulary};
use super::{ENTERPRISE, GROUP, ScimClient, USER, encoded, id, ids, listed, search_request};
use crate::harness::{TestServer, on_both_engines};

const USERS: usize = 60;
const GROUPS: usize = 8;
const FILTERS: usize = 300;

const OF_USERS: &[Attribute] = &[
    ("userName", &["userName"], Folded),
    ("urn:ietf:params:scim:schemas:core:2.0:User:userName", &["userName"], Folded),
    ("id", &["id"], Exact),
    ("externalId", &["externalId"], Exact),
    ("displayName", &["displayName"], Folded),
    ("title", &["title"], Folded),
    ("active", &["active"], Boolean),
    ("name.familyName", &["name", "familyName"], Folded),
    ("name.givenName", &["name", "givenName"], Folded),
    ("emails", &["emails", "value"], Folded),
    ("emails.value", &["emails", "value"], Folded),
    ("emails.type", &["emails", "type"], Folded),
    ("emails.primary", &["emails", "primary"], Boolean),
    ("phoneNumbers.value", &["phoneNumbers", "value"], Folded),
    ("groups", &["groups", "value"], Exact),
    ("groups.value", &["groups", "value"], Exact),
    ("groups.display", &["groups", "display"], Folded),
    ("meta.created", &["meta", "created"], Time),
    ("meta.lastModified", &["meta", "lastModified"], Time),
    ("meta.resourceType", &["meta", "resourceType"], Exact),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        &[ENTERPRISE, "department"],
        Folded,
    ),
    ("manager.value", &[ENTERPRISE, "manager", "value"], Exact),
];
const OF_GROUPS: &[Attribute] = &[
    ("displayName", &["displayName"], Folded),
    ("externalId", &["externalId"], Exact),
    ("id", &["id"], Exact),
    ("members", &["members", "value"], Exact),
    ("members.value", &["members", "value"], Exact),
    ("members.type", &["members", "type"], Folded),
    ("meta.created", &["meta", "created"], Time),
    ("meta.lastModified", &["meta", "lastModified"], Time),
];
const OF_EMAILS: &[Attribute] = &[
    ("value", &["value"], Folded),
    ("type", &["type"], Folded),
    ("primary", &["primary"], Boolean),
];
const OF_MEMBERS: &[Attribute] = &[("value", &["value"], Exact), ("type", &["type"], Folded)];

on_both_engines! {
    async fn random_filters_find_whom_a_naive_reading_finds(server: TestServer) {
        let client = ScimClient::of_shared_emails(&server).await;
        let mut random = StdRng::seed_from_u64(20_261_123);
        populate(&server, &client, &mut random).await;
        let users = client.list("/Users?count=1000").await;
        let elements: &[(&str, &[Attribute])] = &[("emails", OF_EMAILS), ("phoneNumbers", OF_EMAILS)];
        compare(&client, "/Users", &users, (OF_USERS, elements), &mut random).await;
        let groups = client.list("/Groups?count=1000").await;
        compare(&client, "/Groups", &groups, (OF_GROUPS, &[("members", OF_MEMBERS)]), &mut random).await;
    }
}

/// Asks in every way that there is.
async fn compare(
    client: &ScimClient,
    path: &str,
    all: &Value,
    (attributes, elements): (&'static [Attribute], &'static [(&'static str, &'static [Attribute])]),
    random: &mut StdRng,
) {
    let resources = all["Resources"].as_array().unwrap();
    let (mut texts, mut times) = (Vec::new(), Vec::new());
    for resource in resources {
        collect(resource, &mut texts, &mut times);
    }
    let vocabulary = Vocabulary { attributes, elements, texts, times };
    let mut decided = 0;
    for number in 0..FILTERS {
        let expression = vocabulary.expression(random, 3);
        let filter = expression.text(random);
        let expected: Vec<_> =
            resources.iter().filter(|each| expression.holds(each)).map(id).collect();
        decided += usize::from(!expected.is_empty() && expected.len() < resources.len());
        let found = match number % 3 {
            0 => client.list(&format!("{path}?count=1000&filter={}", encoded(&filter))).await,
            1 => {
                client.list(&format!("{path}?count=1000&cursor=&filter={}", encoded(&filter))).await
            }
            _ => {
                let body = search_request(json!({ "filter": filter, "count": 1000 }));
                listed(client.post(&format!("{path}/.search"), body).await)
            }
        };
        assert_eq!(ids(&found), expected, "{filter}");
        assert_eq!(found["totalResults"], expected.len(), "{filter}");
    }
    assert!(decided > FILTERS / 3, "only {decided} filters told resources apart");
}

/// The texts and times of a resource, to be asked for.
fn collect(value: &Value, texts: &mut Vec<String>, times: &mut Vec<String>) {
    match value {
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => times.push(text.clone()),
        Value::String(text) if !text.contains("://") && !text.starts_with("urn:") => {
            texts.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts, times)),
        Value::Object(entries) => entries.values().for_each(|each| collect(each, texts, times)),
        _ => {}
    }
}

async fn populate(server: &TestServer, client: &ScimClient, random: &mut StdRng) {
    let mut users = Vec::new();
    for number in 0..USERS {
        let made = client.post("/Users", user(number, &users, random)).await.created();
        users.push(id(&made));
        server.advance(Duration::from_micros(random.random_range(0..3)));
    }
    for user in users.sample(random, USERS / 4) {
        let change = match random.random_range(0..2) {
            0 => json!([{ "op": "replace", "path": "title", "value": word(random) }]),
            // Of whom nothing is said then.
            _ => json!([{ "op": "remove", "path": "active" }]),
        };
        client.patch(&format!("/Users/{user}"), change).await.ok();
        server.advance(Duration::from_micros(random.random_range(0..3)));
    }
    let mut all = users;
    for number in 0..GROUPS {
        let size = random.random_range(0..12);
        let members: Vec<_> = all.sample(random, size).map(|id| json!({ "value": id })).collect();
        let name = format!("{} {number}", word(random));
        let group = json!({
            "schemas": [GROUP], "displayName": name, "externalId": maybe(random), "members": members,
        });
        all.push(id(&client.post("/Groups", group).await.created()));
        server.advance(Duration::from_micros(1));
    }
}

fn user(number: usize, others: &[String], random: &mut StdRng) -> Value {
    let many = |random: &mut StdRng| -> Vec<_> {
        (0..random.random_range(0..3))
            .map(|_| {
                let kind = *["work", "Work", "home"].choose(random).unwrap();
                json!({ "value": maybe(random), "type": kind, "primary": random.random_bool(0.3) })
            })
            .collect()
    };
    let mut user = json!({
        "schemas": [USER, ENTERPRISE],
        "userName": format!("{}{number}", word(random)),
        "name": { "familyName": maybe(random), "givenName": maybe(random) },
        "displayName": maybe(random),
        "externalId": maybe(random),
        "title": maybe(random),
        "emails": many(random),
        "phoneNumbers": many(random),
        ENTERPRISE: {
            "department": maybe(random),
            "manager": others.choose(random).filter(|_| number.is_multiple_of(3)),
        },
    });
    if random.random_bool(0.7) {
        user["active"] = random.random_bool(0.6).into();
    }
    user
}

fn word(random: &mut StdRng) -> &'static str {
    ["Ann", "ANN", "anna", "bo", "Bä", "bÄ", "a b", "\"q\\", "a]b", "É", "x) or (y", "true", "7"]
        .choose(random)
        .unwrap()
}

fn maybe(random: &mut StdRng) -> Option<&'static str> {
    random.random_bool(0.7).then(|| word(random))
}
