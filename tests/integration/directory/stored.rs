//! What stands in the store.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::json;

use super::World;
use crate::harness::{TestServer, on_both_engines};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const EXTENSION: &str = "urn:example:params:scim:badges:1.0:User";
/// As servers wrote it that did not store `schemas`.
const EARLIER: &str =
    r#"{"userName":"ann","urn:example:params:scim:badges:1.0:User":{"badge":"7"},"active":true}"#;

on_both_engines! {
    async fn documents_of_earlier_servers_are_shown_and_changed_like_others(server: TestServer) {
        let world = World::new(&server).await;
        let scim = &world.tenant.scim;
        let body = json!({
            "schemas": [CORE, EXTENSION], "userName": "ann", EXTENSION: { "badge": "7" }, "active": true,
        });
        let created = scim.post("/Users", body).await.created();
        let path = format!("/Users/{}", created["id"].as_str().unwrap());
        let connection = Database::connect(server.database.text()).await.unwrap();
        let now = document(&connection).await;
        let expected = EARLIER.replacen('{', &format!(r#"{{"schemas":["{CORE}","{EXTENSION}"],"#), 1);
        assert_eq!(now, expected);

        let earlier = format!("UPDATE scim_users SET document = '{EARLIER}'");
        assert_eq!(connection.execute_unprepared(&earlier).await.unwrap().rows_affected(), 1);
        assert_eq!(scim.read(&path).await, created);
        assert_eq!(scim.list("/Users").await["Resources"], json!([created]));
        let some = scim.read(&format!("{path}?attributes=schemas")).await;
        assert_eq!(some["schemas"], json!([CORE, EXTENSION]));
        // What is put back as it was read is no change, and so is not written anew.
        assert_eq!(scim.put(&path, created.clone()).await.ok(), created);
        assert_eq!(document(&connection).await, EARLIER);

        let title = json!([{ "op": "add", "path": "title", "value": "Dr." }]);
        let changed = scim.patch(&path, title).await.ok();
        assert_eq!((&changed["schemas"], &changed["title"]), (&created["schemas"], &json!("Dr.")));
        assert_eq!(document(&connection).await, now.replace("true}", r#"true,"title":"Dr."}"#));
        let events = world.ask("ListEvents", json!({})).await.ok()["events"].clone();
        let last = events.as_array().unwrap().last().unwrap();
        assert_eq!(last["changedPaths"], json!(["title"]));
        assert_eq!(last["user"]["resource"]["schemas"], created["schemas"]);
    }
}

/// That of the one user there is.
async fn document(connection: &DatabaseConnection) -> String {
    let one = Statement::from_string(
        connection.get_database_backend(),
        "SELECT document FROM scim_users",
    );
    connection.query_one_raw(one).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
