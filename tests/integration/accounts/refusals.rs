//! How the application learns that somebody was not linked.

use std::time::Duration;

use serde_json::json;

use super::{World, allow, email_patch, id, kinds, link_of, provision};
use crate::harness::{TestServer, on_both_engines};

on_both_engines! {
    async fn a_refusal_is_told_once_a_day_for_as_long_as_it_is_the_same(server: TestServer) {
        let world = World::new(&server).await;
        let account = world.imported("77", "ann@x", true).await;
        let (_, mut seen) = world.events(0).await;
        let mut told = async |expected: usize, what: &str| {
            let (events, newest) = world.events(seen).await;
            assert_eq!(kinds(&events), vec!["LINK_REFUSED"; expected], "{what}");
            seen = newest;
            events
        };
        let refused = provision(&world.one, "Ann", "Ann@x", false).await;
        let events = told(1, "the first time").await;
        assert_eq!(events[0]["subjectId"], json!(account));
        assert_eq!(events[0]["scimConfigurationId"], json!(world.one.configuration));
        assert_eq!(events[0]["cause"]["requestId"], refused.header("x-request-id"));
        assert_eq!(events[0]["endsTransaction"], true);
        let refusal = &events[0]["linkRefusal"];
        assert_eq!(link_of(&refusal["accountLink"]), (account.clone(), "REFUSED".to_owned(), "EMAIL_UNVERIFIED".to_owned()));
        assert_eq!((&refusal["userName"], &refusal["externalId"], &refusal["email"]), (&json!("Ann"), &json!("external Ann"), &json!("Ann@x")));
        for _ in 0..30 {
            server.advance(Duration::from_mins(40));
            assert_eq!(provision(&world.one, "ann", "ann@x", false).await.status, 409);
        }
        told(0, "the same again").await;
        server.advance(Duration::from_hours(5));
        provision(&world.one, "ann", "ann@x", false).await;
        told(1, "the next day").await;
        // Somebody else, somewhere else, and for another reason.
        provision(&world.one, "bob", "ann@x", false).await;
        provision(&world.two, "ann", "ann@x", false).await;
        told(2, "others").await;
    }

    async fn another_reason_is_told_at_once(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("77", "ann@x", false).await;
        let (_, seen) = world.events(0).await;
        for (verified, expected) in [(false, "EMAIL_UNVERIFIED"), (true, "ACCOUNT_EMAIL_UNVERIFIED")] {
            provision(&world.one, "ann", "ann@x", verified).await;
            let (events, _) = world.events(seen).await;
            let last = &events.last().unwrap()["linkRefusal"];
            assert_eq!(link_of(&last["accountLink"]).2, expected);
        }
        assert_eq!(world.events(seen).await.0.len(), 2);
    }

    async fn a_change_that_is_refused_names_the_user(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("77", "ann@x", true).await;
        let ann = id(&world.one.scim.post("/Users", json!({ "userName": "ann" })).await);
        let (_, seen) = world.events(0).await;
        assert_eq!(world.one.scim.patch(&format!("/Users/{ann}"), email_patch("ann@x")).await.status, 409);
        let (events, _) = world.events(seen).await;
        assert_eq!(kinds(&events), ["LINK_REFUSED"]);
        assert_eq!(events[0]["linkRefusal"]["userId"], json!(ann));
        allow(&world.one, true).await;
        assert_eq!(world.one.scim.patch(&format!("/Users/{ann}"), email_patch("ann@x")).await.status, 200);
    }

    async fn refusals_of_a_deleted_configuration_are_forgotten(server: TestServer) {
        let world = World::new(&server).await;
        world.imported("77", "ann@x", true).await;
        provision(&world.one, "ann", "ann@x", false).await;
        let (_, seen) = world.events(0).await;
        world.one.call("DeleteSCIMConfiguration", json!({})).await;
        while server.repository.purge_once().await.unwrap() {}
        assert_eq!(kinds(&world.events(seen).await.0), ["CONFIGURATION_DELETED"]);
    }
}
