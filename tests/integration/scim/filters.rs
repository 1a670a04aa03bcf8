//! Filters, and how they are written in a query.

use serde_json::json;

use super::{ENTERPRISE, USER, encoded, id, people, search_request, texts};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn filters_select_what_they_say(server: TestServer) {
        let client = people(&server).await;
        let (dora, ann, bob, carl) = ("Dora@x", "ann@x", "Bob@x", "carl@x");
        let ann_id = id(&client.find("/Users", "userName eq \"ann@x\"").await["Resources"][0]);
        for (filter, names) in [
            // What identity providers search by.
            (r#"userName eq "ANN@X""#, vec![ann]),
            (r#"userName eq "ann@x\u0000""#, vec![]),
            (r#"externalId eq "a""#, vec![bob]),
            (r#"emails.value eq "ann@work.X""#, vec![ann]),
            (r#"emails eq "ann@home.y""#, vec![ann]),
            (r#"displayName eq "bob""#, vec![bob]),
            (&*format!(r#"id eq "{ann_id}""#), vec![ann]),
            (r#"id eq "not-a-uuid""#, vec![]),
            ("active eq false", vec![dora]),
            ("active eq True", vec![ann, bob, carl]),
            (r#"meta.created gt "2026-11-23T20:15:01Z""#, vec![bob, carl]),
            (r#"meta.created eq "2026-11-23T21:15:01+01:00""#, vec![ann]),
            (r#"meta.lastModified le "2026-11-23T20:15:01.000000Z""#, vec![dora, ann]),
            (r#"meta.resourceType eq "User""#, vec![dora, ann, bob, carl]),
            // What no index has.
            (r#"title eq "ceo""#, vec![ann]),
            ("title pr", vec![ann]),
            ("title eq null", vec![dora, bob, carl]),
            (r#"name.familyName gt "l""#, vec![dora, ann]),
            (&*format!(r#"{ENTERPRISE}:department eq "sales""#), vec![bob]),
            (&*format!("{ENTERPRISE}:employeeNumber eq 7"), vec![bob]),
            (&*format!(r#"{USER}:userName sw "C""#), vec![carl]),
            (r#"displayName co "\"d\"""#, vec![dora]),
            (r#"displayName ew "\u00e4""#, vec![dora]),
            (r#"nickName eq "50%_\\""#, vec![dora]),
            (r#"nickName co "%""#, vec![dora]),
            (r#"userName ne "ann@x""#, vec![dora, bob, carl]),
            // Together.
            (r#"userName eq "ann@x" or userName eq "bob@x""#, vec![ann, bob]),
            (r#"active eq true and (title pr or userName sw "b")"#, vec![ann, bob]),
            (r#"userName eq "carl@x" or active eq true and title pr"#, vec![ann, carl]),
            ("not (active eq true)", vec![dora]),
            ("NOT(title pr) AND active EQ true", vec![bob, carl]),
            (r#"emails[type eq "work" and value co ".x"]"#, vec![ann]),
            (r#"emails[type eq "home"] and emails[value ew ".x"]"#, vec![ann, bob]),
            (r#"emails[not (type eq "work") and value ew ".x"]"#, vec![bob]),
            (r#"emails[type eq "work"].value eq "bob@work.y""#, vec![bob]),
            ("emails[primary eq true]", vec![ann]),
        ] {
            let list = client.find("/Users", filter).await;
            assert_eq!(texts(&list, "userName"), names, "{filter}");
            assert_eq!(list["totalResults"], names.len(), "{filter}");
        }
    }

    async fn a_filter_that_means_nothing_is_refused(server: TestServer) {
        let client = people(&server).await;
        let deep = format!("{}active eq true{}", "(".repeat(200), ")".repeat(200));
        let long = format!("userName eq \"{}\"", "x".repeat(10_000));
        for filter in [
            r#"shoeSize eq "42""#, r#"emails.shoe eq "x""#, r#"urn:nothing:User:x eq "y""#, "userName", "userName eq",
            r#"userName is "x""#, r#"(userName eq "x""#, r#"userName eq "x")"#, r#"emails[type eq "work""#,
            r#"userName eq "x" and"#, r#"userName eq "x"#, "active gt true", r#"active eq "perhaps""#,
            r#"meta.created gt "yesterday""#, r#"userName[type eq "x"]"#, &deep, &long,
        ] {
            let path = format!("/Users?filter={}", encoded(filter));
            assert_eq!(client.get(&path).await.fault(), (400, "invalidFilter"), "{filter}");
            let answer = client.post("/Users/.search", search_request(json!({ "filter": filter }))).await;
            assert_eq!(answer.fault(), (400, "invalidFilter"), "{filter}");
        }
    }

    async fn a_query_is_read_however_it_is_written(server: TestServer) {
        let client = people(&server).await;
        for query in [
            "filter=userName+eq+%22ann@x%22",
            "filter=userName%20eq%20%22ann%40x%22",
            "filter=userName%20eq+%22ann@x%22&",
            "&&filter=userName+eq+%22ann@x%22&&count=10&",
            "FILTER=ignored&filter=userName+eq+%22ann@x%22",
            "filter=%75serName+eq+%22ann@x%22&x=%FF",
        ] {
            assert_eq!(texts(&client.list(&format!("/Users?{query}")).await, "userName"), ["ann@x"], "{query}");
        }
    }
}
