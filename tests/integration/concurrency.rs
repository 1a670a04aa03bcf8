//! Many at once.

use futures::future::join_all;
use serde_json::json;

use crate::harness::{Client, SSO, TestServer, on_both_engines};

on_both_engines! {
    async fn of_64_tokens_regenerated_at_once_exactly_one_is_valid_afterwards(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.create(organization).await;
        let replica = server.replica().await;
        let there = Client::new(&replica.url, client.key.as_deref());
        let regenerate = json!({ "scimConfigurationId": created.id() });
        let answers = join_all((0..64).map(|number| {
            let client = if number % 2 == 0 { &client } else { &there };
            client.call("RegenerateSCIMToken", regenerate.clone())
        })).await;
        let mut tokens: Vec<_> = answers.iter().map(|answer| answer.token()).collect();
        tokens.push(created.token());
        let id = created.id();
        let statuses = join_all(tokens.iter().map(|token| server.scim_status(&id, token))).await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 64);
    }

    async fn of_64_creations_at_once_none_fails(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let replica = server.replica().await;
        let there = Client::new(&replica.url, client.key.as_deref());
        let answers = join_all((0..64).map(|number| {
            let client = if number % 2 == 0 { &client } else { &there };
            client.create(organization)
        })).await;
        let mut ids: Vec<_> = answers.iter().map(|answer| answer.id()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 64);
        let body = json!({ "pagination": { "pageSize": 100 } });
        let listed = client.call("ListSCIMConfigurations", body).await.ok();
        assert_eq!(listed["scimConfigurations"].as_array().unwrap().len(), 64);
    }

    async fn updates_of_different_fields_at_once_are_all_kept(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        let other = SSO.replace('5', "6");
        let changes = [
            json!({ "scimConfigurationId": id, "name": "renamed" }),
            json!({ "scimConfigurationId": id, "enabled": false }),
            json!({ "scimConfigurationId": id, "ssoConfigurationId": other }),
            json!({ "scimConfigurationId": id, "allowUnverifiedEmailAccountLinking": true }),
        ];
        let updates = changes.map(|change| client.call("UpdateSCIMConfiguration", change));
        for answer in join_all(updates).await {
            answer.ok();
        }
        let configuration = client.get(&id).await.ok()["scimConfiguration"].clone();
        assert_eq!(configuration["name"], "renamed");
        assert_eq!(configuration.get("enabled"), None);
        assert_eq!(configuration["ssoConfigurationId"], other);
        assert_eq!(configuration["allowUnverifiedEmailAccountLinking"], true);
    }

    async fn requests_given_up_at_any_moment_leave_no_transaction_open(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let http = reqwest::Client::new();
        for round in 0..8 {
            let requests = (0..48).map(|number| {
                http.post(format!("{}/gitpod.v1.OrganizationService/CreateSCIMConfiguration", server.url))
                    .bearer_auth(client.key.as_deref().unwrap())
                    .header("connect-timeout-ms", (1 + (round * 48 + number) % 30).to_string())
                    .json(&json!({ "organizationId": organization.to_string(), "ssoConfigurationId": SSO }))
                    .send()
            });
            for response in join_all(requests).await {
                let status = response.unwrap().status();
                assert!(matches!(status.as_u16(), 200 | 504), "{status}");
            }
        }
        // Whoever comes next finds every connection usable.
        for answer in join_all((0..32).map(|_| client.create(organization))).await {
            answer.ok();
        }
        assert_eq!(server.database.open_transactions().await, 0);
    }

    async fn of_deletions_at_once_exactly_one_succeeds(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let body = json!({ "scimConfigurationId": client.create(organization).await.id() });
        let answers =
            join_all((0..16).map(|_| client.call("DeleteSCIMConfiguration", body.clone()))).await;
        let deleted = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(deleted, 1);
        assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.code() == "not_found"));
    }
}
