//! Lists: pages by index, order, searches, the root.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{ScimClient, USER, id, ids, listed, people, search_request, texts, user};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn a_list_says_how_much_there_is_and_what_it_holds(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for path in ["/Users", "/Groups", "/", ""] {
            assert_eq!(client.list(path).await["totalResults"], 0, "{path:?}");
        }
        let made = client.post("/Users", user("ann")).await.created();
        let list = client.list("/Users").await;
        assert_eq!(list["totalResults"], 1);
        assert_eq!(list["startIndex"], 1);
        assert_eq!(list["Resources"], json!([made]));
        let list = client.list("/Users?attributes=userName&sortBy=&unknown=1&").await;
        assert_eq!(list["Resources"], json!([{ "schemas": [USER], "id": id(&made), "userName": "ann" }]));
        let list = client.list("/Users?excludedAttributes=meta,active").await;
        assert_eq!(list["Resources"], json!([{ "schemas": [USER], "id": id(&made), "userName": "ann" }]));
    }

    async fn pages_begin_and_end_where_they_are_told(server: TestServer) {
        let client = people(&server).await;
        let all = ["Dora@x", "ann@x", "Bob@x", "carl@x"];
        for (query, start, names) in [
            ("startIndex=1&count=2", 1, &all[..2]),
            ("startIndex=2&count=2", 2, &all[1..3]),
            ("startIndex=4&count=2", 4, &all[3..]),
            ("startIndex=5&count=2", 5, &[]),
            ("startIndex=0", 1, &all),
            ("startIndex=-7&count=1", 1, &all[..1]),
            ("count=0", 1, &[]),
            ("count=-1", 1, &[]),
            ("count=100000", 1, &all),
            ("startIndex=&count=", 1, &all),
        ] {
            let list = client.list(&format!("/Users?{query}")).await;
            assert_eq!(texts(&list, "userName"), names, "{query}");
            assert_eq!(list["totalResults"], 4, "{query}");
            assert_eq!(list["startIndex"], start, "{query}");
        }
    }

    async fn a_page_holds_a_thousand_at_most(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let mut made = client.make_users(1001).await;
        let list = client.list("/Users?count=5000&attributes=userName").await;
        assert_eq!((&list["itemsPerPage"], &list["totalResults"]), (&json!(1000), &json!(1001)));
        let mut seen = ids(&list);
        let rest = client.list("/Users?startIndex=1001&count=5000").await;
        seen.extend(ids(&rest));
        seen.sort();
        made.sort();
        assert_eq!(seen, made);
        // What no index answers is counted and paged all the same.
        let found = client.find("/Users", r#"userName co "user-1" or userName ew "-0001@example.com""#).await;
        assert_eq!(found["totalResults"], 2);
    }

    async fn what_asks_for_no_list_is_refused(server: TestServer) {
        let client = people(&server).await;
        for query in ["sortBy=userName&sortOrder=up", "count=ten", "startIndex=1.5"] {
            let answer = client.get(&format!("/Users?{query}")).await;
            assert_eq!(answer.fault(), (400, "invalidValue"), "{query}");
        }
        for body in [
            json!({ "attributes": [1] }),
            json!({ "excludedAttributes": [["userName"]] }),
            json!({ "sortOrder": true }),
            json!({ "count": {} }),
        ] {
            let answer = client.post("/Users/.search", search_request(body.clone())).await;
            assert_eq!(answer.fault(), (400, "invalidValue"), "{body}");
        }
    }

    async fn a_search_may_be_posted(server: TestServer) {
        let client = people(&server).await;
        client.make_group("Bob", &[]).await;
        let ask = async |path: &str, body: Value| listed(client.post(path, search_request(body)).await);
        let found = ask("/Users/.search", json!({
            "filter": "active eq true", "sortBy": "userName", "sortOrder": "descending",
            "startIndex": 2, "count": 1, "attributes": ["userName"],
        })).await;
        assert_eq!((&found["totalResults"], &found["startIndex"]), (&json!(3), &json!(2)));
        assert_eq!(found["Resources"], json!([{
            "schemas": found["Resources"][0]["schemas"], "id": found["Resources"][0]["id"], "userName": "Bob@x",
        }]));
        let found = ask("/Groups/.search", json!({ "excludedAttributes": ["meta"] })).await;
        assert_eq!((found["totalResults"].clone(), found["Resources"][0].get("meta")), (json!(1), None));
        let found = ask("/.search", json!({ "filter": r#"displayName eq "bob""# })).await;
        assert_eq!(found["totalResults"], 2);
        assert_eq!(ask("/.search", json!({})).await["totalResults"], 5);
        assert_eq!(ask("/.search", json!({ "count": 0 })).await["Resources"], json!([]));
    }

    async fn of_an_attribute_that_a_type_lacks_its_resources_have_no_value(server: TestServer) {
        let client = people(&server).await;
        client.make_group("Bob", &[]).await;
        for (filter, total) in [
            (r#"userName eq "ann@x" or displayName eq "bob""#, 3),
            (r#"userName eq "ann@x""#, 1),
            ("not (userName pr)", 1),
            ("userName eq null", 1),
            ("userName pr", 4),
            (r#"userName ne "ann@x" and displayName eq "bob" and not (active pr)"#, 1),
            (r#"emails[type eq "work"] or members pr"#, 2),
            (r#"active eq true or meta.resourceType eq "Group""#, 4),
        ] {
            let found = client.find("/", filter).await;
            assert_eq!(found["totalResults"], total, "{filter}");
        }
        let unknown = client.get("/?filter=nobody%20pr").await;
        assert_eq!(unknown.fault(), (400, "invalidFilter"));
        assert_eq!(client.get("/Groups?filter=userName%20pr").await.fault(), (400, "invalidFilter"));
    }

    async fn the_root_lists_users_and_groups(server: TestServer) {
        let client = people(&server).await;
        client.make_group("Bob", &[]).await;
        for path in ["/", ""] {
            let list = client.list(path).await;
            let types: BTreeSet<_> = list["Resources"].as_array().unwrap().iter()
                .map(|resource| resource["meta"]["resourceType"].as_str().unwrap())
                .collect();
            assert_eq!((list["totalResults"].clone(), types), (json!(5), BTreeSet::from(["User", "Group"])));
        }
        for (filter, total) in [
            (r#"displayName eq "Bob""#, 2),
            (r#"meta.resourceType eq "Group""#, 1),
            (r#"userName eq "bob@x""#, 1),
            (r#"meta.created gt "2026-11-23T20:15:02Z""#, 2),
        ] {
            assert_eq!(client.find("/", filter).await["totalResults"], total, "{filter}");
        }
        let unknown = client.get("/?filter=shoeSize+pr").await;
        assert_eq!(unknown.fault(), (400, "invalidFilter"));
        let mut paged = Vec::new();
        for start in [1, 3, 5] {
            paged.extend(ids(&client.list(&format!("/?startIndex={start}&count=2")).await));
        }
        assert_eq!(paged.iter().collect::<BTreeSet<_>>().len(), 5);
    }

    async fn lists_are_sorted_as_they_are_told(server: TestServer) {
        let client = people(&server).await;
        let (dora, ann, bob, carl) = ("Dora@x", "ann@x", "Bob@x", "carl@x");
        for (query, names) in [
            ("sortBy=userName", [ann, bob, carl, dora]),
            ("sortBy=USERNAME&sortOrder=Ascending", [ann, bob, carl, dora]),
            ("sortBy=userName&sortOrder=descending", [dora, carl, bob, ann]),
            ("sortBy=meta.created", [dora, ann, bob, carl]),
            ("sortBy=meta.created&sortOrder=descending", [carl, bob, ann, dora]),
            // RFC 7644 3.4.2.3: without a value last if ascending, and first if
            // descending.
            ("sortBy=name.familyName", [carl, ann, dora, bob]),
            ("sortBy=name.familyName&sortOrder=descending", [bob, dora, ann, carl]),
        ] {
            let list = client.list(&format!("/Users?{query}")).await;
            assert_eq!(texts(&list, "userName"), names, "{query}");
            let page = client.list(&format!("/Users?{query}&startIndex=2&count=2")).await;
            assert_eq!(texts(&page, "userName"), names[1..3], "{query}");
            assert_eq!(page["totalResults"], 4, "{query}");
        }
        let some = client.list("/Users?filter=active+eq+true&sortBy=userName&sortOrder=descending").await;
        assert_eq!(texts(&some, "userName"), [carl, bob, ann]);
    }
}
