//! Sorted lists (RFC 7644 3.4.2.3), compared with a naive sorting of the same.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{ENTERPRISE, GROUP, ScimClient, USER, encoded, id, ids};
use crate::harness::{TestServer, on_both_engines};

/// What to sort users by, and where its values are; the first six the store has
/// in order.
const OF_USERS: &[(&str, &[&str])] = &[
    ("userName", &["userName"]),
    ("displayName", &["displayName"]),
    ("externalId", &["externalId"]),
    ("id", &["id"]),
    ("meta.created", &["meta", "created"]),
    ("meta.lastModified", &["meta", "lastModified"]),
    ("name.familyName", &["name", "familyName"]),
    ("active", &["active"]),
    ("emails", &["emails", "value"]),
    ("groups.display", &["groups", "display"]),
    (
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        &[ENTERPRISE, "department"],
    ),
];
const OF_GROUPS: &[(&str, &[&str])] = &[
    ("displayName", &["displayName"]),
    ("externalId", &["externalId"]),
    ("id", &["id"]),
    ("meta.created", &["meta", "created"]),
    ("meta.lastModified", &["meta", "lastModified"]),
    ("members.value", &["members", "value"]),
];
const OF_ALL: &[(&str, &[&str])] = &[
    ("displayName", &["displayName"]),
    ("externalId", &["externalId"]),
    ("id", &["id"]),
    ("meta.lastModified", &["meta", "lastModified"]),
];

on_both_engines! {
    async fn lists_are_in_the_order_of_a_naive_sorting(server: TestServer) {
        let client = populated(&server).await;
        for (path, filters, attributes) in [
            ("/Users", &["", "active eq true", "displayName sw \"a\" or title pr", "userName eq \"none\""][..], OF_USERS),
            ("/Groups", &["", "displayName co \"1\""], OF_GROUPS),
            ("/", &["", "displayName pr"], OF_ALL),
        ] {
            for filter in filters {
                let filter = if filter.is_empty() { String::new() } else { format!("&filter={}", encoded(filter)) };
                let all = client.list(&format!("{path}?count=1000{filter}")).await;
                for (sort_by, place) in attributes {
                    for descending in [false, true] {
                        let order = if descending { "descending" } else { "ascending" };
                        let query = format!("{path}?sortBy={sort_by}&sortOrder={order}{filter}");
                        let expected = sorted(&all, place, descending);
                        assert_pages(&client, &query, &expected).await;
                    }
                }
            }
        }
    }

    async fn a_sorted_walk_goes_on_when_its_place_is_gone(server: TestServer) {
        for sort_by in ["userName", "displayName", "meta.lastModified", "id", "name.familyName", "active"] {
            for order in ["ascending", "descending"] {
                let client = populated(&server).await;
                let query = format!("/Users?sortBy={sort_by}&sortOrder={order}&count=5&cursor=");
                let mut rest = ids(&client.list(&format!("/Users?sortBy={sort_by}&sortOrder={order}")).await);
                let (mut seen, mut cursor) = (Vec::new(), String::new());
                loop {
                    let page = client.list(&format!("{query}{cursor}")).await;
                    let shown = ids(&page);
                    seen.extend(shown.clone());
                    let Some(next) = page.get("nextCursor") else { break };
                    cursor = encoded(next.as_str().unwrap());
                    // The last that was shown, and one that is still to come.
                    let ahead = rest.iter().position(|id| !seen.contains(id)).unwrap() + 2;
                    for gone in [shown.last().cloned(), rest.get(ahead).cloned()].into_iter().flatten() {
                        client.delete(&format!("/Users/{gone}")).await.gone();
                        rest.retain(|id| *id != gone || seen.contains(id));
                    }
                }
                assert_eq!(seen, rest, "{sort_by} {order}");
            }
        }
    }

    async fn a_cursor_belongs_to_its_order(server: TestServer) {
        let client = populated(&server).await;
        let cursor = async |query: &str| {
            let page = client.list(&format!("/Users?count=2&cursor=&{query}")).await;
            encoded(page["nextCursor"].as_str().unwrap())
        };
        for (of, with) in [
            ("", "sortBy=userName"),
            ("sortBy=userName", ""),
            ("sortBy=userName", "sortBy=meta.created"),
            ("sortBy=meta.lastModified", "sortBy=displayName"),
            ("sortBy=active", "sortBy=title"),
        ] {
            let cursor = cursor(of).await;
            let refused = client.get(&format!("/Users?count=2&cursor={cursor}&{with}")).await;
            assert_eq!(refused.fault(), (400, "invalidCursor"), "{of} {with}");
        }
    }

    async fn long_texts_are_sorted_and_walked_too(server: TestServer) {
        let client = ScimClient::new(&server).await;
        // The beginning decides; beyond it, the order of creation.
        for (number, (letter, length)) in [("b", 100_000), ("a", 1_900), ("b", 100_000), ("a", 300_000)].into_iter().enumerate() {
            let body = json!({
                "schemas": [USER], "userName": format!("{number}{}", letter.repeat(1_900)), "title": letter.repeat(length),
            });
            client.post("/Users", body).await.created();
            server.advance(Duration::from_secs(1));
        }
        for (sort_by, expected) in [("title", ["1", "3", "0", "2"]), ("userName", ["0", "1", "2", "3"])] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            for _ in 0..4 {
                let page = client.list(&format!("/Users?sortBy={sort_by}&count=1&cursor={cursor}")).await;
                seen.push(page["Resources"][0]["userName"].as_str().unwrap()[..1].to_owned());
                cursor = encoded(page["nextCursor"].as_str().unwrap_or_default());
            }
            assert_eq!(seen, expected, "{sort_by}");
        }
    }
}

/// Pages of several sizes, by index and by cursor, make up the whole.
async fn assert_pages(client: &ScimClient, query: &str, expected: &[String]) {
    for size in [7, 1000] {
        let mut seen = Vec::new();
        loop {
            let page = client
                .list(&format!("{query}&attributes=id&startIndex={}&count={size}", seen.len() + 1))
                .await;
            assert_eq!(page["totalResults"], expected.len(), "{query}");
            let shown = ids(&page);
            if shown.is_empty() {
                break;
            }
            seen.extend(shown);
        }
        assert_eq!(seen, expected, "{query} by {size}");

        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                client.list(&format!("{query}&attributes=id&count={size}&cursor={cursor}")).await;
            assert_eq!(page["totalResults"], expected.len(), "{query}");
            seen.extend(ids(&page));
            let Some(next) = page.get("nextCursor") else { break };
            cursor = encoded(next.as_str().unwrap());
        }
        assert_eq!(seen, expected, "{query} by cursor and {size}");
    }
}

/// The ids in the order of the values at a place: without a value last, equal
/// ones by creation. Descending is just the other way round.
fn sorted(all: &Value, place: &[&str], descending: bool) -> Vec<String> {
    let mut resources: Vec<_> = all["Resources"].as_array().unwrap().iter().collect();
    resources.sort_by(|one, other| {
        let order = match (value(one, place), value(other, place)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        };
        let made = |resource: &Value| {
            (resource["meta"]["created"].as_str().unwrap().to_owned(), id(resource))
        };
        let order = order.then_with(|| made(one).cmp(&made(other)));
        if descending { order.reverse() } else { order }
    });
    resources.into_iter().map(id).collect()
}

/// As text, in which times and ids come in their order too.
fn value(resource: &Value, place: &[&str]) -> Option<String> {
    match find(resource, place)? {
        Value::String(text) if place == ["externalId"] => Some(text.clone()),
        Value::String(text) => Some(text.to_lowercase()),
        other => Some(other.to_string()),
    }
}

/// Of several values the primary one, or else the first.
fn find<'a>(value: &'a Value, place: &[&str]) -> Option<&'a Value> {
    match (value, place) {
        (Value::Array(values), _) => {
            let primary = values.iter().find(|value| value["primary"] == true);
            find(primary.or(values.first())?, place)
        }
        (value, []) => Some(value),
        (value, [name, rest @ ..]) => find(value.get(name)?, rest),
    }
}

/// A configuration with users and groups of which many share values.
async fn populated(server: &TestServer) -> ScimClient {
    let client = ScimClient::of_shared_emails(server).await;
    let mut random = StdRng::seed_from_u64(20_261_123);
    let mut users = Vec::new();
    for number in 0..30 {
        let mut one_of = |words: &[&'static str]| one_of(&mut random, words);
        let body = json!({
            "schemas": [USER],
            "userName": format!("{}{number}", one_of(&["ann", "Bob", "Ä", "ä", "É"]).unwrap_or("x")),
            "displayName": one_of(&["ann", "Ann", "bob", "ä", "", ""]),
            "externalId": one_of(&["b", "B", "a", "A", "ä", ""]),
            "name": { "familyName": one_of(&["lee", "Lee", "zuse", "", "ä"]) },
            "title": one_of(&["ceo", ""]),
            "active": one_of(&["true", "false"]),
            "emails": [{ "value": one_of(&["b@x", "c@x", ""]) }, { "value": "a@x", "primary": one_of(&["true", "false"]) }],
            ENTERPRISE: { "department": one_of(&["Sales", "sales", "IT"]) },
        });
        users.push(id(&client.post("/Users", body).await.created()));
        server.advance(Duration::from_micros(random.random_range(0..2)));
    }
    for user in users.sample(&mut random, 10) {
        let rename = json!([{ "op": "replace", "path": "nickName", "value": "n" }]);
        client.patch(&format!("/Users/{user}"), rename).await.ok();
        server.advance(Duration::from_micros(random.random_range(0..2)));
    }
    for number in 0..12 {
        let size = random.random_range(0..3);
        let members: Vec<_> =
            users.sample(&mut random, size).map(|id| json!({ "value": id })).collect();
        let mut one_of = |words: &[&'static str]| one_of(&mut random, words);
        let body = json!({
            "schemas": [GROUP],
            "displayName": format!("{}{number}", one_of(&["a", "B", "ä"]).unwrap()),
            "externalId": one_of(&["b", "B", "a", ""]),
            "members": members,
        });
        client.post("/Groups", body).await.created();
        server.advance(Duration::from_micros(random.random_range(0..2)));
    }
    client
}

/// None, where that is the empty one.
fn one_of(random: &mut StdRng, words: &[&'static str]) -> Option<&'static str> {
    words.choose(random).copied().filter(|word| !word.is_empty())
}
