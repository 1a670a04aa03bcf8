//! Pages by cursor (RFC 9865).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{ScimClient, encoded, group, ids, listed, people, search_request, texts};
use crate::harness::{TestServer, on_both_engines};

/// All ids by cursor, with the sizes of the pages.
async fn walk(client: &ScimClient, path: &str, count: usize) -> (Vec<String>, Vec<u64>) {
    let (mut seen, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = client.list(&format!("{path}?count={count}&cursor={cursor}")).await;
        seen.extend(ids(&page));
        sizes.push(page["itemsPerPage"].as_u64().unwrap());
        match page.get("nextCursor") {
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
            None => return (seen, sizes),
        }
        // RFC 9865 2: unreserved characters alone.
        assert!(
            cursor.chars().all(|each| each.is_ascii_alphanumeric() || "-._~".contains(each)),
            "{cursor}"
        );
    }
}

on_both_engines! {
    async fn a_cursor_leads_through_the_root(server: TestServer) {
        let client = people(&server).await;
        client.make_group("Bob", &[]).await;
        let (walked, sizes) = walk(&client, "/", 2).await;
        assert_eq!((walked.iter().collect::<BTreeSet<_>>().len(), sizes), (5, vec![2, 2, 1]));
    }

    async fn a_cursor_leads_through_all_of_it(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let made = client.make_users(23).await;
        for number in 0..7 {
            client.post("/Groups", group(&format!("G{number}"), &[])).await.created();
        }
        let (walked, sizes) = walk(&client, "/Users", 10).await;
        assert_eq!(walked.iter().collect::<BTreeSet<_>>(), made.iter().collect());
        assert_eq!((walked.len(), sizes), (23, vec![10, 10, 3]));
        assert_eq!(walked, ids(&client.list("/Users").await));
        assert_eq!(walk(&client, "/Groups", 3).await.1, [3, 3, 1]);
        let first = client.list("/Users?cursor&count=10").await;
        assert_eq!(first["totalResults"], 23);
        let body = json!({ "cursor": first["nextCursor"], "count": 10 });
        let second = listed(client.post("/Users/.search", search_request(body)).await);
        assert_eq!(ids(&second), walked[10..20]);
        // By index there are no cursors.
        assert_eq!(client.list("/Users?count=10").await.get("nextCursor"), None);
    }

    async fn a_cursor_of_one_order_is_none_of_another(server: TestServer) {
        let client = people(&server).await;
        let page = client.list("/Users?sortBy=userName&cursor=&count=1").await;
        let cursor = encoded(page["nextCursor"].as_str().unwrap());
        for query in ["sortBy=userName&sortOrder=descending", "sortBy=displayName", "sortBy=externalId", ""] {
            let answer = client.get(&format!("/Users?{query}&cursor={cursor}&count=1")).await;
            assert_eq!(answer.fault(), (400, "invalidCursor"), "{query}");
        }
        let next = client.list(&format!("/Users?sortBy=USERNAME&cursor={cursor}&count=1")).await;
        assert_eq!(next["itemsPerPage"], 1);
    }

    async fn a_cursor_keeps_its_place_while_others_come_and_go(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let mut made = Vec::new();
        for number in 0..6 {
            made.push(client.make_user(&format!("u{number}")).await);
            server.advance(Duration::from_secs(1));
        }
        let page = client.list("/Users?cursor=&count=3").await;
        assert_eq!(ids(&page), made[..3]);
        // The last one shown, one shown before, and one not shown yet.
        for gone in [2, 0, 3] {
            client.delete(&format!("/Users/{}", made[gone])).await.gone();
        }
        let new = client.make_user("new").await;
        let cursor = encoded(page["nextCursor"].as_str().unwrap());
        let rest = client.list(&format!("/Users?cursor={cursor}&count=10")).await;
        assert_eq!(ids(&rest), [made[4].clone(), made[5].clone(), new]);
    }

    async fn a_cursor_goes_with_a_filter(server: TestServer) {
        let client = people(&server).await;
        let filter = encoded("active eq true and userName co \"@\"");
        let first = client.read(&format!("/Users?filter={filter}&cursor=&count=2")).await;
        assert_eq!(texts(&first, "userName"), ["ann@x", "Bob@x"]);
        let cursor = encoded(first["nextCursor"].as_str().unwrap());
        let second = client.read(&format!("/Users?filter={filter}&cursor={cursor}&count=2")).await;
        assert_eq!((texts(&second, "userName"), second.get("nextCursor")), (vec!["carl@x".to_owned()], None));
    }

    async fn a_total_is_exact_by_cursor_too(server: TestServer) {
        let client = people(&server).await;
        for (filter, total) in [("active eq true", 3), ("userName co \"@\"", 4), ("title pr", 1)] {
            let page = client.list(&format!("/Users?filter={}&cursor=&count=1", encoded(filter))).await;
            assert_eq!(page["totalResults"], total, "{filter}");
        }
    }

    async fn a_cursor_that_is_none_is_refused(server: TestServer) {
        let client = people(&server).await;
        let page = client.list("/Users?cursor=&count=1").await;
        let cursor = page["nextCursor"].as_str().unwrap();
        let cut = &cursor[..cursor.len() - 1];
        for wrong in ["x", "%00", cut, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let answer = client.get(&format!("/Users?cursor={wrong}")).await;
            assert_eq!(answer.fault(), (400, "invalidCursor"), "{wrong}");
        }
    }

    async fn a_page_by_cursor_holds_a_thousand_at_most(server: TestServer) {
        let client = ScimClient::new(&server).await;
        client.make_users(1001).await;
        let (walked, sizes) = walk(&client, "/Users", 5000).await;
        assert_eq!((walked.len(), sizes), (1001, vec![1000, 1]));
    }

    async fn pages_by_cursor_are_sorted_as_they_are_told(server: TestServer) {
        // RFC 9865: "cursor-paged results SHOULD be sorted".
        let client = people(&server).await;
        let sorted = ids(&client.list("/Users?sortBy=userName&sortOrder=descending").await);
        let mut seen = Vec::new();
        let mut cursor = String::new();
        for count in [2, 1, 1] {
            let path = format!("/Users?sortBy=userName&sortOrder=descending&count={count}&cursor={cursor}");
            let page = client.list(&path).await;
            seen.extend(ids(&page));
            cursor = page["nextCursor"].as_str().unwrap_or_default().to_owned();
        }
        assert_eq!((seen, cursor), (sorted, String::new()));
    }
}
