//! Tenants are kept apart: for every method, another organization's
//! configuration does not exist, and can be neither read, changed nor guessed.

use scimd::model::{Role, Scope};
use serde_json::{Value, json};

use crate::harness::{SSO, TestServer, on_both_engines};

/// The methods that name a configuration.
const METHODS: [&str; 4] = [
    "GetSCIMConfiguration",
    "UpdateSCIMConfiguration",
    "DeleteSCIMConfiguration",
    "RegenerateSCIMToken",
];

on_both_engines! {
    async fn anothers_configuration_is_answered_like_one_that_never_was(server: TestServer) {
        let (own, other) = (server.organization(), server.organization());
        let intruder = server.admin(own).await;
        let owner = server.admin(other).await;
        let created = owner.create(other).await;
        let before = owner.get(&created.id()).await.ok();
        for method in METHODS {
            let ask = async |id: &str| {
                let body = json!({ "scimConfigurationId": id, "name": "taken over" });
                let mut answer = intruder.call(method, body).await;
                assert_eq!(answer.code(), "not_found", "{method}");
                // The message repeats the id that was asked for; nothing else
                // may tell the two apart.
                let message = answer.body["message"].as_str().unwrap().replace(id, "");
                answer.body["message"] = message.into();
                answer
            };
            let unknown = uuid::Uuid::new_v4().to_string();
            assert_eq!(ask(&created.id()).await, ask(&unknown).await, "{method}");
        }
        assert_eq!(owner.get(&created.id()).await.ok(), before);
        assert_eq!(server.scim_status(&created.id(), &created.token()).await, 200);
    }

    async fn a_list_holds_what_the_organization_owns_and_nothing_else(server: TestServer) {
        let (own, other) = (server.organization(), server.organization());
        let (mine, theirs) = (server.admin(own).await, server.admin(other).await);
        let own_id = mine.create(own).await.id();
        theirs.create(other).await.ok();
        let listed = mine.call("ListSCIMConfigurations", json!({})).await.ok();
        assert_eq!(ids(&listed), [own_id]);
    }

    async fn a_page_token_of_another_organization_opens_nothing_of_it(server: TestServer) {
        let (own, other) = (server.organization(), server.organization());
        let (mine, theirs) = (server.admin(own).await, server.admin(other).await);
        for _ in 0..3 {
            theirs.create(other).await.ok();
        }
        let own_id = mine.create(own).await.id();
        let body = json!({ "pagination": { "pageSize": 1 } });
        let page = theirs.call("ListSCIMConfigurations", body).await.ok();
        let body = json!({ "pagination": { "token": page["pagination"]["nextToken"] } });
        let listed = mine.call("ListSCIMConfigurations", body).await.ok();
        assert!(ids(&listed).iter().all(|id| *id == own_id), "{listed}");
    }

    async fn nobody_creates_in_anothers_organization(server: TestServer) {
        let (own, other) = (server.organization(), server.organization());
        let answer = server.admin(own).await.create(other).await;
        assert_eq!(answer.code(), "permission_denied");
        assert_eq!(answer.reason(), "ORGANIZATION_FORBIDDEN");
        let listed = server.admin(other).await.call("ListSCIMConfigurations", json!({})).await.ok();
        assert_eq!(ids(&listed), [""; 0]);
    }

    async fn a_platform_key_acts_for_every_organization(server: TestServer) {
        let platform = server.client(&server.key(Scope::Platform, Role::Admin, None).await);
        let (one, two) = (server.organization(), server.organization());
        let made = [platform.create(one).await.id(), platform.create(two).await.id()];
        for id in &made {
            let body = json!({ "scimConfigurationId": id, "ssoConfigurationId": SSO });
            platform.call("UpdateSCIMConfiguration", body).await.ok();
        }
        let mut listed = ids(&platform.call("ListSCIMConfigurations", json!({})).await.ok());
        listed.sort();
        let mut expected = made.to_vec();
        expected.sort();
        assert_eq!(listed, expected);
    }

    async fn a_scim_token_opens_its_own_configuration_only(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let (one, two) = (client.create(organization).await, client.create(organization).await);
        assert_eq!(server.scim_status(&one.id(), &one.token()).await, 200);
        assert_eq!(server.scim_status(&two.id(), &one.token()).await, 401);
        let never = uuid::Uuid::new_v4().to_string();
        assert_eq!(server.scim_status(&never, &one.token()).await, 401);
        assert_eq!(server.scim_status("not-a-uuid", &one.token()).await, 401);
        let key = client.key.as_deref().unwrap();
        assert_eq!(server.scim_status(&one.id(), key).await, 401);
    }
}

fn ids(listed: &Value) -> Vec<String> {
    let items = listed["scimConfigurations"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
