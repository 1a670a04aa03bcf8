//! Two configurations, of one organization or of two, know nothing of each
//! other.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ScimClient, Tenant, bulk, encoded, group, ids, patch, routes, user};
use crate::harness::{TestServer, on_both_engines};

/// A client with another of the same organization and one of another.
async fn pairs(server: &TestServer) -> Vec<(ScimClient, ScimClient)> {
    let (own, other) = (server.organization(), server.organization());
    let mut pairs = Vec::new();
    for organization in [own, other] {
        let mine = Tenant::new(server, own).await.scim;
        pairs.push((mine, Tenant::new(server, organization).await.scim));
    }
    pairs
}

/// What a route is sent that would take effect where it is allowed.
fn body(method: &Method, path: &str) -> Value {
    match *method {
        Method::PATCH => {
            patch(json!([{ "op": "replace", "path": "displayName", "value": "taken over" }]))
        }
        _ if path.starts_with("/Groups") => group("taken over", &[]),
        _ => user("taken over"),
    }
}

on_both_engines! {
    async fn what_is_anothers_is_not_there(server: TestServer) {
        for (mine, theirs) in pairs(&server).await {
            let ann = theirs.make_user("ann").await;
            let sales = theirs.make_group("Sales", &[&ann]).await;
            let before = theirs.list("/").await;
            for (method, path) in routes(&ann, &sales) {
                if path.ends_with(&ann) || path.ends_with(&sales) {
                    let sent = body(&method, &path);
                    assert_eq!(mine.send(method.clone(), &path, sent).await.status, 404, "{method} {path}");
                }
            }
            assert_eq!(theirs.list("/").await, before);
        }
    }

    async fn no_token_opens_another_configuration(server: TestServer) {
        for (mine, theirs) in pairs(&server).await {
            let ann = theirs.make_user("ann").await;
            let sales = theirs.make_group("Sales", &[&ann]).await;
            let before = theirs.list("/").await;
            let intruder = ScimClient::at(&theirs.base, &mine.token);
            for (method, path) in routes(&ann, &sales) {
                let sent = body(&method, &path);
                assert_eq!(intruder.send(method.clone(), &path, sent).await.status, 401, "{method} {path}");
            }
            assert_eq!(theirs.list("/").await, before);
        }
    }

    async fn names_may_repeat(server: TestServer) {
        for (mine, theirs) in pairs(&server).await {
            let mut ann = user("ann");
            ann["externalId"] = json!("a-1");
            let mut sales = group("Sales", &[]);
            sales["externalId"] = json!("s-1");
            for client in [&mine, &theirs] {
                client.post("/Users", ann.clone()).await.created();
                client.post("/Groups", sales.clone()).await.created();
            }
            // One's deletion is none of the other's.
            let found = mine.find("/Users", r#"externalId eq "a-1""#).await;
            mine.delete(&format!("/Users/{}", ids(&found)[0])).await.gone();
            assert_eq!(theirs.find("/Users", r#"externalId eq "a-1""#).await["totalResults"], 1);
            assert_eq!(theirs.post("/Users", ann.clone()).await.fault(), (409, "uniqueness"));
        }
    }

    async fn lists_and_filters_never_show_anothers(server: TestServer) {
        for (mine, theirs) in pairs(&server).await {
            let ann = theirs.make_user("ann").await;
            let sales = theirs.make_group("Sales", &[&ann]).await;
            let bob = mine.make_user("bob").await;
            for (path, filter) in [
                ("/Users", r#"userName eq "ann""#.to_owned()),
                ("/Users", r#"userName eq "ann" or externalId eq "ann""#.to_owned()),
                ("/Users", format!(r#"id eq "{ann}""#)),
                ("/Users", format!(r#"groups.value eq "{sales}""#)),
                ("/Groups", "displayName pr".to_owned()),
                ("/Groups", format!(r#"members.value eq "{ann}""#)),
                ("/", format!(r#"id eq "{sales}" or userName sw "a""#)),
            ] {
                assert_eq!(mine.find(path, &filter).await["totalResults"], 0, "{path} {filter}");
                let searched = mine.post(&format!("{path}/.search").replace("//", "/"), json!({ "filter": filter })).await;
                assert_eq!(searched.ok()["totalResults"], 0, "{path} {filter}");
            }
            let all = encoded(r#"not (userName eq "x")"#);
            for path in ["/Users", "/", "/Users?sortBy=userName", "/Users?cursor=", &format!("/Users?filter={all}")] {
                let list = mine.list(path).await;
                assert_eq!((list["totalResults"].clone(), ids(&list)), (json!(1), vec![bob.clone()]), "{path}");
            }
        }
    }

    async fn a_cursor_of_anothers_shows_nothing_of_it(server: TestServer) {
        for (mine, theirs) in pairs(&server).await {
            theirs.make_users(3).await;
            let bob = mine.make_user("bob").await;
            let page = theirs.list("/Users?cursor=&count=1").await;
            let cursor = encoded(page["nextCursor"].as_str().unwrap());
            let answer = mine.get(&format!("/Users?cursor={cursor}")).await;
            match answer.status {
                400 => assert_eq!(answer.fault(), (400, "invalidCursor")),
                _ => assert!(ids(&answer.ok()).iter().all(|id| *id == bob)),
            }
        }
    }

    async fn nobody_becomes_a_member_of_anothers_group(server: TestServer) {
        for (mine, theirs) in pairs(&server).await {
            let ann = theirs.make_user("ann").await;
            let sales = theirs.make_group("Sales", &[&ann]).await;
            let own = mine.make_group("own", &[]).await;
            for stranger in [&ann, &sales] {
                let add = json!([{ "op": "add", "path": "members", "value": [{ "value": stranger }] }]);
                let path = format!("/Groups/{own}");
                assert_eq!(mine.patch(&path, add).await.fault(), (400, "invalidValue"));
                assert_eq!(mine.put(&path, group("own", &[stranger])).await.fault(), (400, "invalidValue"));
                assert_eq!(mine.post("/Groups", group("new", &[stranger])).await.fault(), (400, "invalidValue"));
            }
            assert_eq!(mine.list("/Groups").await["totalResults"], 1);
            assert_eq!(theirs.read(&format!("/Users/{ann}")).await["groups"].as_array().unwrap().len(), 1);
        }
    }

    async fn in_bulk_neither(server: TestServer) {
        for (mine, theirs) in pairs(&server).await {
            let ann = theirs.make_user("ann").await;
            let sales = theirs.make_group("Sales", &[&ann]).await;
            let before = theirs.list("/").await;
            let mut operations = Vec::new();
            for path in [format!("/Users/{ann}"), format!("/Groups/{sales}")] {
                for method in [Method::PUT, Method::PATCH, Method::DELETE] {
                    let data = body(&method, &path);
                    operations.push(json!({ "method": method.as_str(), "path": path, "data": data }));
                }
            }
            let done = mine.post("/Bulk", bulk(operations)).await.ok();
            for result in done["Operations"].as_array().unwrap() {
                assert_eq!(result["status"], "404", "{result}");
            }
            assert_eq!(theirs.list("/").await, before);
        }
    }
}
