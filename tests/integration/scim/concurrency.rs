//! Many at once, through two servers on one database.

use futures::future::join_all;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::json;

use super::{Answer, SCIM_JSON, ScimClient, answer, group, patch, set, user};
use crate::harness::{Replica, TestServer, on_both_engines};

/// The same client at this server and at another on the same database.
async fn two(server: &TestServer) -> ([ScimClient; 2], Replica) {
    let here = ScimClient::new(server).await;
    let replica = server.replica().await;
    let there = here.at_replica(server, &replica);
    ([here, there], replica)
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

on_both_engines! {
    async fn of_64_members_added_at_once_none_is_lost(server: TestServer) {
        let (clients, _replica) = two(&server).await;
        let users = clients[0].make_users(64).await;
        let group = clients[0].make_group("G", &[]).await;
        let answers = join_all(users.iter().enumerate().map(async |(number, user)| {
            let add = json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }]);
            clients[number % 2].patch(&format!("/Groups/{group}"), add).await
        })).await;
        assert_eq!(count(&answers, 200), 64, "{answers:?}");
        assert_eq!(clients[0].members(&group).await, users.iter().cloned().collect());
    }

    async fn of_64_members_removed_at_once_all_are_gone(server: TestServer) {
        let (clients, _replica) = two(&server).await;
        let users = clients[0].make_users(65).await;
        let all: Vec<_> = users.iter().map(String::as_str).collect();
        let group = clients[0].make_group("G", &all).await;
        let answers = join_all(users[1..].iter().enumerate().map(async |(number, user)| {
            let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{user}\"]") }]);
            clients[number % 2].patch(&format!("/Groups/{group}"), remove).await
        })).await;
        assert_eq!(count(&answers, 200), 64, "{answers:?}");
        assert_eq!(clients[0].members(&group).await, set(&all[..1]));
    }

    async fn of_32_users_of_one_name_exactly_one_is_made(server: TestServer) {
        let (clients, _replica) = two(&server).await;
        let answers = join_all((0..32).map(async |number| {
            let name = if number % 3 == 0 { "ANN@x" } else { "ann@X" };
            clients[number % 2].post("/Users", user(name)).await
        })).await;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 31), "{answers:?}");
        assert!(answers.iter().filter(|answer| answer.status == 409).all(|answer| answer.fault().1 == "uniqueness"));
        assert_eq!(clients[0].list("/Users").await["totalResults"], 1);
    }

    async fn of_32_groups_of_one_name_exactly_one_is_made(server: TestServer) {
        let (clients, _replica) = two(&server).await;
        let ann = clients[0].make_user("ann").await;
        let answers = join_all((0..32).map(async |number| {
            let name = if number % 3 == 0 { "SALES" } else { "sales" };
            clients[number % 2].post("/Groups", group(name, &[&ann])).await
        })).await;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 31), "{answers:?}");
        assert!(answers.iter().filter(|answer| answer.status == 409).all(|answer| answer.fault().1 == "uniqueness"));
        assert_eq!(clients[0].list("/Groups").await["totalResults"], 1);
        assert_eq!(clients[1].read(&format!("/Users/{ann}")).await["groups"].as_array().unwrap().len(), 1);
    }

    async fn of_16_changes_of_one_version_exactly_one_is_made(server: TestServer) {
        let (clients, _replica) = two(&server).await;
        let path = format!("/Users/{}", clients[0].make_user("ann").await);
        let version = clients[0].get(&path).await.header("etag").to_owned();
        let answers = join_all((0..16).map(async |number: usize| {
            let title = format!("title {number}");
            let body = patch(json!([{ "op": "replace", "path": "title", "value": title }]));
            let request = clients[number % 2].request(Method::PATCH, &path).header(IF_MATCH, &version);
            answer(request.header(CONTENT_TYPE, SCIM_JSON).body(body.to_string())).await
        })).await;
        assert_eq!((count(&answers, 200), count(&answers, 412)), (1, 15), "{answers:?}");
        // Each server names itself in what it shows.
        let (number, winner) =
            answers.into_iter().enumerate().find(|(_, answer)| answer.status == 200).unwrap();
        assert_eq!(clients[number % 2].read(&path).await, winner.ok());
    }

    async fn changes_of_different_attributes_at_once_are_all_kept(server: TestServer) {
        let (clients, _replica) = two(&server).await;
        let path = format!("/Users/{}", clients[0].make_user("ann").await);
        let attributes = ["title", "nickName", "userType", "locale", "timezone", "displayName", "profileUrl", "externalId"];
        let answers = join_all(attributes.iter().enumerate().map(async |(number, attribute)| {
            let change = json!([{ "op": "add", "path": attribute, "value": attribute }]);
            clients[number % 2].patch(&path, change).await
        })).await;
        assert_eq!(count(&answers, 200), attributes.len(), "{answers:?}");
        let after = clients[1].read(&path).await;
        for attribute in attributes {
            assert_eq!(after[attribute], attribute);
        }
    }

    async fn whoever_is_deleted_while_being_added_is_in_no_group(server: TestServer) {
        let (clients, _replica) = two(&server).await;
        let users = clients[0].make_users(24).await;
        let group = clients[0].make_group("G", &[]).await;
        let (adding, deleting) = (
            join_all(users.iter().map(async |user| {
                let add = json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }]);
                clients[0].patch(&format!("/Groups/{group}"), add).await
            })),
            join_all(users.iter().map(async |user| clients[1].delete(&format!("/Users/{user}")).await)),
        );
        let (added, deleted) = futures::join!(adding, deleting);
        assert_eq!(count(&added, 200) + count(&added, 400), 24, "{added:?}");
        assert_eq!(count(&deleted, 204), 24, "{deleted:?}");
        assert_eq!(clients[0].members(&group).await, set(&[]));
    }

    async fn of_two_groups_put_into_each_other_at_once_no_circle_comes(server: TestServer) {
        let (clients, _replica) = two(&server).await;
        for round in 0..8 {
            let a = clients[0].make_group(&format!("A{round}"), &[]).await;
            let b = clients[0].make_group(&format!("B{round}"), &[]).await;
            let add = async |client: &ScimClient, group: &str, member: &str| {
                let add = json!([{ "op": "add", "path": "members", "value": [{ "value": member }] }]);
                client.patch(&format!("/Groups/{group}"), add).await
            };
            let (one, other) = futures::join!(add(&clients[0], &a, &b), add(&clients[1], &b, &a));
            assert_eq!(count(&[one.clone(), other.clone()], 200), 1, "{one:?} {other:?}");
        }
    }
}
