//! The change feed: history, then what happens.

use std::time::Duration;

use scimd::model::{Role, Scope};
use scimd::proto::scimd::v1::{Event, ListEventsRequest, StreamEventsRequest};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{SERVICE, World, grpc};
use crate::harness::{TestServer, on_both_engines};
use crate::scim::client::ScimClient;

const STREAM: &str = "/scimd.v1.DirectoryService/StreamEvents";

fn after(world: &World, number: u64) -> Value {
    json!({ "organizationId": world.organization.to_string(), "after": number.to_string() })
}

async fn make_user(scim: &ScimClient, name: &str) -> String {
    let made = scim.post("/Users", json!({ "userName": name })).await;
    made.body["id"].as_str().unwrap().to_owned()
}

fn column<'a>(events: &'a Value, name: &str) -> Vec<&'a Value> {
    events.as_array().unwrap().iter().map(|event| &event[name]).collect()
}

/// A user with so many objects, the user itself among them, within each other.
fn nested(name: &str, depth: usize) -> Value {
    let inner = (2..depth).fold(json!({ "a": "b" }), |inner, _| json!({ "a": inner }));
    json!({ "userName": name, "custom": inner })
}

on_both_engines! {
    async fn what_may_be_stored_can_be_told_however_deep_it_is(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let deepest = scim.post("/Users", nested("ann", 20)).await.created()["id"].clone();
        let array = (0..18).fold(json!(["x"]), |inner, _| json!([inner]));
        scim.post("/Users", json!({ "userName": "bob", "custom": array })).await.created();
        assert_eq!(scim.post("/Users", nested("cat", 21)).await.fault(), (400, "invalidValue"));
        let path = format!("/Users/{}", deepest.as_str().unwrap());
        assert_eq!(scim.put(&path, nested("ann", 21)).await.fault(), (400, "invalidValue"));
        let deeper = json!([{ "op": "replace", "value": { "custom": nested("", 20) } }]);
        assert_eq!(scim.patch(&path, deeper).await.fault(), (400, "invalidValue"));
        scim.post("/Users", json!({ "userName": "dan" })).await.created();

        let events = world.ask("ListEvents", json!({})).await.ok()["events"].clone();
        assert_eq!(events.as_array().unwrap().len(), 4);
        assert_eq!(events[1]["user"]["resource"]["custom"], nested("", 20)["custom"]);
        let organization_id = world.organization.to_string();
        let request = ListEventsRequest { organization_id, after: 0, limit: 0 };
        let told = world.grpc().await.list_events(request).await.unwrap().into_inner();
        assert_eq!(told.events.len(), 4);
    }

    async fn what_an_identity_provider_does_is_told_with_who_did_it(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let ann = make_user(scim, "ann").await;
        let group = scim.post("/Groups", json!({ "displayName": "g", "members": [{ "value": ann }] })).await;
        let group_id = group.body["id"].clone();
        let patch = json!([{ "op": "replace", "path": "active", "value": false }]);
        let patched = scim.patch(&format!("/Users/{ann}"), patch.clone()).await;
        // The same again changes nothing.
        scim.patch(&format!("/Users/{ann}"), patch).await;
        scim.delete(&format!("/Users/{ann}")).await;
        world.tenant.call("UpdateSCIMConfiguration", json!({ "enabled": false })).await;

        let answer = world.ask("ListEvents", json!({ "after": "1" })).await.ok();
        let events = &answer["events"];
        assert_eq!((&answer["newestNumber"], &answer["oldestNumber"]), (&json!("8"), &json!("1")));
        assert_eq!(column(events, "number"), ["2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(column(events, "kind"), [
            "EVENT_KIND_USER_CREATED", "EVENT_KIND_GROUP_CREATED", "EVENT_KIND_GROUP_MEMBERS_CHANGED",
            "EVENT_KIND_USER_DEACTIVATED", "EVENT_KIND_GROUP_MEMBERS_CHANGED", "EVENT_KIND_USER_DELETED",
            "EVENT_KIND_CONFIGURATION_DISABLED",
        ]);
        let (yes, no) = (json!(true), Value::Null);
        assert_eq!(column(events, "endsTransaction"), [&yes, &no, &yes, &yes, &no, &yes, &yes]);
        assert_eq!(column(events, "endsSessions"), [&no, &no, &no, &yes, &no, &yes, &no]);
        assert_eq!(column(events, "subjectId")[..4], [&json!(ann), &group_id, &group_id, &json!(ann)]);
        assert_eq!(events[2]["membersChange"], json!({ "version": "1", "added": [{ "userId": ann }] }));
        assert_eq!(events[3]["changedPaths"], json!(["active"]));
        assert_eq!(events[3]["user"]["version"], "2");
        assert_eq!(events[3]["cause"], json!({
            "scimConfigurationId": world.tenant.configuration,
            "requestId": patched.header("x-request-id"),
        }));
        assert_eq!(events[4]["membersChange"], json!({ "version": "2", "removed": [{ "userId": ann }] }));
        assert!(events[6]["cause"]["apiKeyId"].is_string(), "{events}");
        assert_eq!(events[6]["scimConfiguration"]["id"], json!(world.tenant.configuration));
    }

    async fn a_list_and_a_stream_tell_the_same_in_every_protocol(server: TestServer) {
        let world = World::new(&server).await;
        for number in 0..30 {
            make_user(&world.tenant.scim, &format!("user{number}")).await;
        }
        let organization_id = world.organization.to_string();
        let mut client = world.grpc().await;
        let mut listed: Vec<Event> = Vec::new();
        loop {
            let after = listed.last().map_or(0, |event| event.number);
            let request = ListEventsRequest { organization_id: organization_id.clone(), after, limit: 7 };
            let events = client.list_events(request).await.unwrap().into_inner().events;
            if events.is_empty() { break }
            listed.extend(events);
        }
        assert_eq!(listed.len(), 31);
        let request = StreamEventsRequest { organization_id: organization_id.clone(), after: 0 };
        let mut stream = client.stream_events(request).await.unwrap().into_inner();
        let mut streamed = Vec::new();
        while streamed.len() < listed.len() {
            streamed.extend(stream.message().await.unwrap().unwrap().events);
        }
        assert_eq!(streamed, listed);
        let json = world.ask("ListEvents", json!({})).await.ok();
        let first = world.product.stream(STREAM, after(&world, 0)).await.next().await.unwrap().unwrap();
        assert_eq!(first["events"], json["events"]);
        assert_eq!(first["newestNumber"], "31");
    }

    async fn a_change_is_told_within_a_second_also_by_another_replica(server: TestServer) {
        let world = World::new(&server).await;
        let replica = server.replica().await;
        let mut here = world.product.stream(STREAM, after(&world, 1)).await;
        let key = world.product.key.clone().unwrap();
        let request = StreamEventsRequest { organization_id: world.organization.to_string(), after: 1 };
        let mut there = grpc(&replica.url, &key).await.stream_events(request).await.unwrap().into_inner();
        for round in 0..3 {
            make_user(&world.tenant.scim, &format!("user{round}")).await;
            let begun = Instant::now();
            let told = here.next().await.unwrap().unwrap();
            assert_eq!(told["newestNumber"], (round + 2).to_string());
            assert_eq!(there.message().await.unwrap().unwrap().newest_number, round + 2);
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        }
    }

    async fn a_silent_stream_gives_a_sign_of_life_every_15_seconds(server: TestServer) {
        let world = World::new(&server).await;
        let mut stream = world.product.stream(STREAM, after(&world, 1)).await;
        let begun = Instant::now();
        for round in 1..=2 {
            let told = timeout(Duration::from_secs(20), stream.next()).await.unwrap();
            assert_eq!(told, Ok(Some(json!({ "newestNumber": "1" }))));
            assert!(begun.elapsed() > Duration::from_secs(15) * round - Duration::from_secs(1));
        }
    }

    async fn a_stream_ends_with_the_key_that_opened_it(server: TestServer) {
        let world = World::new(&server).await;
        let scope = Scope::Organization(world.organization);
        let lasting = server.client(&server.key(scope, Role::Viewer, None).await);
        let short = server.client(&server.key(scope, Role::Viewer, Some(Duration::from_hours(1))).await);
        let mut streams = Vec::new();
        for client in [&lasting, &short] {
            let mut stream = client.stream(STREAM, after(&world, 0)).await;
            assert!(stream.next().await.unwrap().is_some());
            streams.push(stream);
        }
        let keys = server.repository.read().api_keys(Some(world.organization)).await.unwrap();
        let key = keys.iter().find(|key| key.role == Role::Viewer && key.expires_at.is_none()).unwrap();
        let tx = server.repository.write().await.unwrap();
        tx.revoke_api_key(key.id).await.unwrap();
        tx.commit().await.unwrap();
        let ended = timeout(Duration::from_secs(5), streams[0].next()).await.unwrap().unwrap_err();
        assert_eq!(ended["code"], "unauthenticated", "{ended}");
        make_user(&world.tenant.scim, "ann").await;
        assert!(streams[1].next().await.unwrap().is_some(), "the other one is still good");
        server.advance(Duration::from_hours(1));
        let ended = timeout(Duration::from_secs(5), streams[1].next()).await.unwrap().unwrap_err();
        assert_eq!(ended["code"], "unauthenticated", "{ended}");
    }

    async fn attributes_in_another_order_are_no_change(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let text = r#"{"userName":"ann","name":{"givenName":"A","familyName":"B"},
            "emails":[{"value":"a@x","type":"work","primary":true}],"urn:x:y":{"a":1,"b":2}}"#;
        let other = r#"{"urn:x:y":{"b":2,"a":1},"emails":[{"primary":true,"type":"work","value":"a@x"}],
            "NAME":{"familyName":"B","givenName":"A"},"userName":"ann"}"#;
        let [body, reordered] = [text, other].map(|text| serde_json::from_str::<Value>(text).unwrap());
        let made = scim.post("/Users", body).await.created();
        let path = format!("/Users/{}", made["id"].as_str().unwrap());
        server.advance(Duration::from_mins(1));
        assert_eq!(scim.put(&path, reordered).await.ok()["meta"], made["meta"]);
        let emails = json!([{ "op": "replace", "path": "emails", "value": [{ "primary": true, "value": "a@x", "type": "work" }] }]);
        assert_eq!(scim.patch(&path, emails).await.ok()["meta"], made["meta"]);
        let [body, reordered] = [
            r#"{"displayName":"G","externalId":"e","urn:x:y":{"a":1,"b":2}}"#,
            r#"{"urn:x:y":{"b":2,"a":1},"externalId":"e","displayName":"G"}"#,
        ].map(|text| serde_json::from_str::<Value>(text).unwrap());
        let made = scim.post("/Groups", body).await.created();
        let path = format!("/Groups/{}", made["id"].as_str().unwrap());
        server.advance(Duration::from_mins(1));
        assert_eq!(scim.put(&path, reordered).await.ok()["meta"], made["meta"]);
        // The configuration, the user, the group.
        let events = world.ask("ListEvents", json!({})).await.ok()["events"].clone();
        assert_eq!(events.as_array().unwrap().len(), 3, "{events}");
    }

    async fn what_is_no_longer_kept_or_not_yet_told_is_out_of_range(server: TestServer) {
        let world = World::new(&server).await;
        make_user(&world.tenant.scim, "ann").await;
        server.advance(Duration::from_hours(24));
        let tx = server.repository.write().await.unwrap();
        let now = tx.now();
        drop(tx);
        assert!(server.repository.forget_events(world.organization, now).await.unwrap());
        make_user(&world.tenant.scim, "bob").await;
        for (number, reason) in [(0, "EVENTS_EXPIRED"), (1, "EVENTS_EXPIRED"), (4, "EVENT_NUMBER_UNKNOWN")] {
            let answer = world.ask("ListEvents", json!({ "after": number.to_string() })).await;
            assert_eq!((answer.code(), &*answer.reason()), ("out_of_range", reason), "{number}");
            let refused = world.product.stream(STREAM, after(&world, number)).await.next().await.unwrap_err();
            assert_eq!(refused["code"], "out_of_range");
            let request = StreamEventsRequest { organization_id: world.organization.to_string(), after: number };
            let refused = world.grpc().await.stream_events(request).await.unwrap_err();
            assert_eq!(refused.code(), tonic::Code::OutOfRange);
        }
        let kept = world.ask("ListEvents", json!({ "after": "2" })).await.ok();
        assert_eq!((column(&kept["events"], "number"), &kept["oldestNumber"]), (vec![&json!("3")], &json!("3")));
    }

    async fn a_stream_ends_with_unavailable_when_the_server_stops(server: TestServer) {
        let mut server = server;
        let world = World::new(&server).await;
        let mut connect = world.product.stream(STREAM, after(&world, 1)).await;
        let request = StreamEventsRequest { organization_id: world.organization.to_string(), after: 1 };
        let mut stream = world.grpc().await.stream_events(request).await.unwrap().into_inner();
        server.stop(Duration::ZERO);
        let ended = timeout(Duration::from_secs(5), connect.next()).await.unwrap().unwrap_err();
        assert_eq!(ended["code"], "unavailable", "{ended}");
        let ended = timeout(Duration::from_secs(5), stream.message()).await.unwrap().unwrap_err();
        assert_eq!(ended.code(), tonic::Code::Unavailable, "{ended:?}");
    }

    async fn a_feed_is_shown_to_its_own_organization_only(server: TestServer) {
        let (world, other) = (World::new(&server).await, World::new(&server).await);
        for method in ["StreamEvents", "GetSnapshot"] {
            let path = format!("{SERVICE}/{method}");
            let refused = world.product.stream(&path, after(&other, 0)).await.next().await.unwrap_err();
            assert_eq!(refused["code"], "permission_denied", "{method}");
        }
        let platform = server.client(&server.key(Scope::Platform, Role::Viewer, None).await);
        let told = platform.stream(STREAM, after(&other, 0)).await.next().await.unwrap().unwrap();
        assert_eq!(told["events"].as_array().unwrap().len(), 1);
    }
}
