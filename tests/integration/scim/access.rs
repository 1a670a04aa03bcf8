//! Who is let in, and what is answered to what cannot be read.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use serde_json::json;

use super::{Answer, NOBODY, SCIM_JSON, ScimClient, Tenant, answer, ids, routes, user};
use crate::harness::{TestServer, on_both_engines};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const DAY: Duration = Duration::from_hours(24);

async fn tenant(server: &TestServer) -> Tenant {
    Tenant::new(server, server.organization()).await
}

/// The answers of every route to a user and a group.
async fn everywhere(client: &ScimClient, user: &str, group: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (method, path) in routes(user, group) {
        answers.push(client.send(method, &path, json!({})).await);
    }
    answers
}

on_both_engines! {
    async fn whoever_shows_no_token_is_told_how(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let token = &client.token;
        let refused = answer(client.anonymous(Method::GET, "/Users")).await;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"));
        for authorization in [
            "", "Bearer", "Bearer ", "Bearer x", token, &format!("Basic {token}"), &format!("Bearer {token}x"),
            &format!("Bearer x {token}"), &format!("Token token={token}"),
        ] {
            let request = client.anonymous(Method::GET, "/Users").header(AUTHORIZATION, authorization);
            let refused = answer(request).await;
            assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"), "{authorization}");
        }
    }

    async fn a_made_up_configuration_answers_as_a_wrong_token_does(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let wrong = ScimClient::at(&client.base, "x");
        let id = client.base.rsplit('/').next().unwrap();
        let nowhere = ScimClient::at(&client.base.replace(id, NOBODY), &client.token);
        for (one, other) in everywhere(&wrong, NOBODY, "x").await.into_iter()
            .zip(everywhere(&nowhere, NOBODY, "x").await)
        {
            assert_eq!((one.status, &one.body), (401, &other.body));
        }
    }

    async fn the_scheme_is_read_in_any_case(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            let authorization = format!("{scheme} {}", client.token);
            let request = client.anonymous(Method::GET, "/Users").header(AUTHORIZATION, authorization);
            assert_eq!(answer(request).await.status, 200, "{scheme}");
        }
    }

    async fn any_user_agent_and_none_are_served(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for agent in ["python-requests/2.32", "x", ""] {
            let request = client.request(Method::GET, "/Users").header(USER_AGENT, agent);
            assert_eq!(answer(request).await.status, 200, "{agent}");
        }
        assert_eq!(client.get("/Users").await.status, 200);
    }

    async fn an_expired_token_is_told_so_and_since_when(server: TestServer) {
        let client = ScimClient::new(&server).await;
        client.make_user("ann").await;
        server.advance(365 * DAY - Duration::from_micros(1));
        client.list("/Users").await;
        server.advance(Duration::from_micros(1));
        for refused in everywhere(&client, NOBODY, NOBODY).await {
            assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"));
            assert!(refused.detail().contains("expired"), "{refused:?}");
            assert!(refused.detail().contains("2027-11-23T20:15:00"), "{refused:?}");
        }
        // Only who has it is told.
        let wrong = ScimClient::at(&client.base, "x").get("/Users").await;
        assert!(!wrong.detail().contains("expired"));
    }

    async fn a_disabled_configuration_refuses_everything_and_keeps_everything(server: TestServer) {
        let tenant = tenant(&server).await;
        let client = &tenant.scim;
        let ann = client.make_user("ann").await;
        let group = client.make_group("G", &[&ann]).await;
        let before = client.list("/").await;
        tenant.call("UpdateSCIMConfiguration", json!({ "enabled": false })).await;
        for refused in everywhere(client, &ann, &group).await {
            assert_eq!(refused.status, 403);
            assert!(refused.detail().contains("disabled"), "{refused:?}");
        }
        tenant.call("UpdateSCIMConfiguration", json!({ "enabled": true })).await;
        assert_eq!(client.list("/").await, before);
    }

    async fn a_regenerated_token_holds_from_the_next_request_everywhere(server: TestServer) {
        let tenant = tenant(&server).await;
        let replica = server.replica().await;
        let there = tenant.scim.at_replica(&server, &replica);
        let ann = tenant.scim.make_user("ann").await;
        assert_eq!(ids(&there.list("/Users").await), [&*ann]);
        let token = tenant.call("RegenerateSCIMToken", json!({})).await["token"].clone();
        for old in [&tenant.scim, &there] {
            assert_eq!(old.get("/Users").await.status, 401);
            let new = ScimClient::at(&old.base, token.as_str().unwrap());
            assert_eq!(ids(&new.list("/Users").await), [&*ann]);
        }
    }

    async fn a_deleted_configuration_answers_to_nobody(server: TestServer) {
        let tenant = tenant(&server).await;
        let ann = tenant.scim.make_user("ann").await;
        tenant.call("DeleteSCIMConfiguration", json!({})).await;
        for refused in everywhere(&tenant.scim, &ann, "x").await {
            assert_eq!(refused.status, 401);
        }
    }

    async fn me_is_not_implemented(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(client.send(method.clone(), "/Me", json!({})).await.status, 501, "{method}");
        }
    }

    async fn unknown_endpoints_are_not_found(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for path in ["/Nothing", "/users/x/y", "/Users/x/y", "/Devices", "/Schemas/x/y", "/v2/Users", "/.search/x"] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                assert_eq!(client.send(method.clone(), path, json!({})).await.status, 404, "{method} {path}");
            }
        }
    }

    async fn a_method_that_an_endpoint_has_not_is_not_allowed(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = format!("/Users/{}", client.make_user("ann").await);
        for (method, path) in [
            (Method::PUT, "/Users"), (Method::PATCH, "/Users"), (Method::DELETE, "/Users"), (Method::DELETE, "/Groups"),
            (Method::POST, &*ann), (Method::GET, "/Bulk"), (Method::GET, "/Users/.search"), (Method::PUT, "/.search"),
        ] {
            let refused = client.send(method.clone(), path, json!({})).await;
            assert_eq!(refused.status, 405, "{method} {path}");
        }
        client.read(&ann).await;
    }

    async fn an_answer_to_head_has_no_body(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let user = format!("/Users/{}", client.make_user("ann").await);
        // On HTTP/2 a client takes a body for a broken stream.
        let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        for http in [reqwest::Client::new(), http2] {
            for (path, token, status) in [
                (&*user, &*client.token, 200), ("/Users/none", &client.token, 404), (&user, NOBODY, 401),
                ("/Bulk", &client.token, 405), ("/none", &client.token, 404), ("/../..", &client.token, 404),
            ] {
                let url = format!("{}{path}", client.base);
                let ask = async |method: Method| {
                    let answer = http.request(method, &url).bearer_auth(token).send().await.unwrap();
                    let length = answer.headers().get(CONTENT_LENGTH).cloned();
                    (answer.status().as_u16(), length, answer.bytes().await.unwrap())
                };
                let (head, get) = (ask(Method::HEAD).await, ask(Method::GET).await);
                assert_eq!((head.0, get.0), (status, status), "{path}");
                assert_eq!(head.1, get.1, "{path}");
                assert!(head.2.is_empty() && !get.2.is_empty(), "{path}");
            }
        }
    }

    async fn media_types_are_json_or_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let send = async |content_type: &str, name: &str| {
            let request = client.request(Method::POST, "/Users").header(CONTENT_TYPE, content_type);
            answer(request.body(user(name).to_string())).await.status
        };
        for (number, taken) in [
            SCIM_JSON, "application/json", "application/scim+json; charset=utf-8", "application/json;charset=UTF-8",
            "Application/SCIM+JSON", "application/json; charset=\"utf-8\"",
        ].into_iter().enumerate() {
            assert_eq!(send(taken, &format!("u{number}")).await, 201, "{taken}");
        }
        for refused in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "x"] {
            assert_eq!(send(refused, "refused").await, 415, "{refused}");
        }
        assert_eq!(client.list("/Users").await["totalResults"], 6);
    }

    async fn a_body_that_is_no_json_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = format!("/Users/{}", client.make_user("ann").await);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (method, path) in [
            (Method::POST, "/Users"), (Method::POST, "/Groups"), (Method::PUT, &*ann), (Method::PATCH, &*ann),
            (Method::POST, "/.search"), (Method::POST, "/Bulk"),
        ] {
            for body in [&b"{ junk"[..], b"", b"{\"userName\":\"\xff\"}", b"{} {}", deep.as_bytes()] {
                let request = client.request(method.clone(), path).header(CONTENT_TYPE, SCIM_JSON);
                let refused = answer(request.body(body.to_vec())).await;
                assert_eq!(refused.fault(), (400, "invalidSyntax"), "{method} {path} {}", body.len());
            }
        }
    }

    async fn a_byte_order_mark_before_the_body_is_passed_over(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let request = client.request(Method::POST, "/Users").header(CONTENT_TYPE, SCIM_JSON);
        let made = answer(request.body(format!("\u{feff}{}", user("ann")))).await.created();
        assert_eq!(made["userName"], "ann");
    }

    async fn a_body_that_is_compressed_or_breaks_off_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let request = |encoding: &str| {
            let request = client.request(Method::POST, "/Users").header(CONTENT_TYPE, SCIM_JSON);
            request.header(CONTENT_ENCODING, encoding).body(user("ann").to_string())
        };
        for encoding in ["gzip", "identity, br", "x"] {
            assert_eq!(answer(request(encoding)).await.status, 415, "{encoding}");
        }
        answer(request("identity")).await.created();

        let (address, path) = client.base.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /{path}/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: {SCIM_JSON}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n",
            client.token
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut told = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&told).contains("invalidSyntax") {
            let read = connection.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&told));
            told.extend_from_slice(&buffer[..read]);
        }
        assert!(told.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&told));
    }

    async fn a_body_beyond_a_megabyte_is_refused(server: TestServer) {
        let client = ScimClient::new(&server).await;
        let ann = format!("/Users/{}", client.make_user("ann").await);
        let mut body = user("bob");
        body["nickName"] = json!("x".repeat(1_048_577));
        for (method, path) in [(Method::POST, "/Users"), (Method::PUT, &*ann), (Method::PATCH, &*ann), (Method::POST, "/Bulk")] {
            assert_eq!(client.send(method.clone(), path, body.clone()).await.status, 413, "{method} {path}");
        }
        assert_eq!(client.read(&ann).await["userName"], "ann");
    }

    async fn whatever_is_asked_below_scim_is_answered_in_scim(server: TestServer) {
        let client = ScimClient::new(&server).await;
        // `answer` itself looks at the form.
        for path in ["/Users/%00", "/Users//", "//", "/Users?filter=%FF", "/Users?count=x"] {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE] {
                let answered = client.send(method.clone(), path, json!({})).await;
                assert!(answered.status < 500, "{method} {path} {answered:?}");
            }
        }
        let root = client.base.rsplit_once("/v2/").unwrap().0;
        for path in ["", "/", "/v2", "/v2/", "/v2/x/Users", "/v1/Users"] {
            let outside = ScimClient::at(root, &client.token).get(path).await;
            assert!([401, 404].contains(&outside.status), "{path} {outside:?}");
        }
    }
    async fn a_path_that_is_no_text_is_answered_in_scim_too(server: TestServer) {
        let client = ScimClient::new(&server).await;
        for path in ["/%FF", "/Users/%FF", "/Groups/%FF", "/Schemas/%FF", "/ResourceTypes/%FF"] {
            assert_eq!(client.get(path).await.status, 404, "{path}");
        }
        let root = client.base.rsplit_once("/v2/").unwrap().0;
        for (path, status) in [("/v2/%FF/Users", 401), ("/%FF", 404)] {
            assert_eq!(ScimClient::at(root, &client.token).get(path).await.status, status, "{path}");
        }
    }
}
