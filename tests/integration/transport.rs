//! The wire: where clients and specifications expect something that a library
//! alone would not do.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use reqwest::{Method, Response, StatusCode};
use scimd::proto::gitpod::v1::{
    DeleteScimConfigurationRequest, GetScimConfigurationRequest, GetScimConfigurationResponse,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Client, TestServer, on_both_engines};

const LIST: &str = "/gitpod.v1.OrganizationService/ListSCIMConfigurations";
const GET: &str = "/gitpod.v1.OrganizationService/GetSCIMConfiguration";
const DELETE: &str = "/gitpod.v1.OrganizationService/DeleteSCIMConfiguration";

async fn admin(server: &TestServer) -> Client {
    server.admin(server.organization()).await
}

fn request(client: &Client, method: Method, path: &str) -> reqwest::RequestBuilder {
    let request = reqwest::Client::new().request(method, format!("{}{path}", client.url));
    match &client.key {
        Some(key) => request.bearer_auth(key),
        None => request,
    }
}

async fn error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

on_both_engines! {
    async fn the_sdks_default_prefix_leads_to_the_same_methods(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        let body = json!({ "scimConfigurationId": id });
        let answer = client.post(&format!("/api{GET}"), body).await;
        assert_eq!(answer.ok(), client.get(&id).await.ok());
    }

    async fn a_method_without_side_effects_may_be_a_get(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        let message = json!({ "scimConfigurationId": id }).to_string();
        let query = [("encoding", "json"), ("message", &message), ("connect", "v1"), ("extra", "x")];
        let response = request(&client, Method::GET, GET).query(&query).send().await.unwrap();
        assert_eq!(response.json::<Value>().await.unwrap(), client.get(&id).await.ok());

        let message = GetScimConfigurationRequest { scim_configuration_id: id.clone() }.encode_to_vec();
        let query = [("encoding", "proto"), ("base64", "1"), ("message", &URL_SAFE_NO_PAD.encode(message))];
        let response = request(&client, Method::GET, GET).query(&query).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/proto");
        let read = GetScimConfigurationResponse::decode(response.bytes().await.unwrap()).unwrap();
        assert_eq!(read.scim_configuration.unwrap().id, id);
    }

    async fn other_http_methods_are_not_allowed(server: TestServer) {
        let client = admin(&server).await;
        for (method, path, allowed) in [
            (Method::HEAD, LIST, "GET,POST"),
            (Method::PUT, LIST, "GET,POST"),
            (Method::GET, DELETE, "POST"),
            (Method::HEAD, DELETE, "POST"),
            (Method::DELETE, DELETE, "POST"),
        ] {
            let response = request(&client, method.clone(), path).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(response.headers()["allow"], allowed, "{method} {path}");
        }
    }

    async fn media_types_are_compared_without_regard_to_case(server: TestServer) {
        let client = admin(&server).await;
        for content_type in ["Application/JSON", "application/json; charset=UTF-8"] {
            let request = request(&client, Method::POST, LIST).header("content-type", content_type).body("{}");
            assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{content_type}");
        }
    }

    async fn a_media_type_that_no_method_takes_is_refused_with_those_that_are(server: TestServer) {
        let client = admin(&server).await;
        for content_type in ["text/plain", "application/connect+json", "application/connect+proto"] {
            let request = request(&client, Method::POST, LIST).header("content-type", content_type).body("{}");
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
            assert!(response.headers().contains_key("accept-post"), "{content_type}");
        }
    }

    async fn a_compressed_request_is_read_and_a_large_response_compressed(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        for _ in 0..20 {
            client.create(organization).await.ok();
        }
        let request = request(&client, Method::POST, LIST)
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .header("accept-encoding", "gzip")
            .body(gzip(b"{\"pagination\":{\"pageSize\":20}}"));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert!(response.headers().get_all("vary").iter().any(|vary| vary == "accept-encoding"));
        let bytes = response.bytes().await.unwrap();
        let listed: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&*bytes)).unwrap();
        assert_eq!(listed["scimConfigurations"].as_array().unwrap().len(), 20);
    }

    async fn compression_that_is_unknown_or_broken_is_said_to_be(server: TestServer) {
        let client = admin(&server).await;
        let send = async |encoding: &str, body: Vec<u8>| {
            let request = request(&client, Method::POST, LIST)
                .header("content-type", "application/json")
                .header("content-encoding", encoding);
            error(request.body(body).send().await.unwrap()).await
        };
        assert_eq!(send("lzma", b"{}".to_vec()).await, (501, "unimplemented".to_owned()));
        assert_eq!(send("gzip", b"{}".to_vec()).await, (400, "invalid_argument".to_owned()));
        // 64 MiB of blanks in 64 KiB.
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert_eq!(send("gzip", bomb).await, (429, "resource_exhausted".to_owned()));
    }

    async fn a_message_beyond_the_limit_is_resource_exhausted_in_every_protocol(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let large = "x".repeat(5 << 20);
        let answer = client.get(&large).await;
        assert_eq!(answer.code(), "resource_exhausted");
        let message = GetScimConfigurationRequest { scim_configuration_id: large };
        let status = client.grpc().await.get_scim_configuration(message).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status:?}");
    }

    async fn a_deadline_ends_the_work_and_leaves_nothing(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        // Whoever writes now waits for this transaction.
        let id = client.create(organization).await.id();
        let blocking = server.repository.write().await.unwrap();
        blocking.delete_configuration(scimd::model::Scope::Platform, id.parse().unwrap()).await.unwrap();
        let body = json!({ "scimConfigurationId": id });
        let begun = std::time::Instant::now();
        let over_connect = request(&client, Method::POST, DELETE)
            .json(&body).header("connect-timeout-ms", "300").send().await.unwrap();
        assert_eq!(error(over_connect).await, (504, "deadline_exceeded".to_owned()));
        // tonic's client would give up by itself: it must be the server.
        let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let message = DeleteScimConfigurationRequest { scim_configuration_id: id.clone() }.encode_to_vec();
        let mut frame = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
        frame.extend(message);
        let over_grpc = http2.post(format!("{}{DELETE}", server.url))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "300m")
            .bearer_auth(client.key.as_deref().unwrap())
            .body(frame)
            .send().await.unwrap();
        assert_eq!(over_grpc.headers()["grpc-status"], "4");
        assert!(begun.elapsed() < Duration::from_secs(5));
        drop(blocking);
        assert_eq!(client.get(&id).await.id(), id, "neither deletion came about");
        client.call("DeleteSCIMConfiguration", body).await.ok();
    }

    async fn a_deadline_that_is_none_is_refused(server: TestServer) {
        let client = admin(&server).await;
        for timeout in ["abc", "-1", "12345678901"] {
            let request = request(&client, Method::POST, LIST).json(&json!({})).header("connect-timeout-ms", timeout);
            assert_eq!(error(request.send().await.unwrap()).await, (400, "invalid_argument".to_owned()));
        }
        let now = request(&client, Method::POST, LIST).json(&json!({})).header("connect-timeout-ms", "0");
        assert_eq!(error(now.send().await.unwrap()).await, (504, "deadline_exceeded".to_owned()));
    }

    async fn an_unknown_protocol_version_is_refused_and_a_missing_one_is_not(server: TestServer) {
        let client = admin(&server).await;
        let send = async |version: &str| {
            let request = request(&client, Method::POST, LIST).json(&json!({}));
            request.header("connect-protocol-version", version).send().await.unwrap().status()
        };
        assert_eq!(send("1").await, StatusCode::OK);
        assert_eq!(send("2").await, StatusCode::BAD_REQUEST);
        client.call("ListSCIMConfigurations", json!({})).await.ok();
    }

    async fn a_method_that_does_not_exist_is_unimplemented(server: TestServer) {
        let client = admin(&server).await;
        for path in ["/gitpod.v1.OrganizationService/GetOrganization", "/gitpod.v1.NoService/Method", "/", "/x"] {
            let response = request(&client, Method::POST, path).json(&json!({})).send().await.unwrap();
            // Not 501, which the SDKs would try again.
            assert_eq!(error(response).await, (404, "unimplemented".to_owned()), "{path}");
        }
        let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let response = http2
            .post(format!("{}/gitpod.v1.OrganizationService/GetOrganization", client.url))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(vec![0; 5])
            .send().await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "12");
    }

    async fn a_browser_is_let_in(server: TestServer) {
        let client = admin(&server).await;
        let preflight = request(&client, Method::OPTIONS, LIST)
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,connect-protocol-version")
            .send().await.unwrap();
        assert_eq!(preflight.status(), StatusCode::OK);
        let headers = preflight.headers();
        assert_eq!(headers["access-control-allow-origin"], "*");
        let allowed = headers["access-control-allow-headers"].to_str().unwrap();
        for header in ["authorization", "content-type", "connect-protocol-version", "connect-timeout-ms", "x-grpc-web", "grpc-timeout"] {
            assert!(allowed.split(',').any(|name| name == header), "{header} in {allowed}");
        }
        let response = request(&client, Method::POST, LIST)
            .header("origin", "https://app.example.com").json(&json!({})).send().await.unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        // An error must be readable too.
        let refused = Client::new(&server.url, None);
        let response = request(&refused, Method::POST, LIST)
            .header("origin", "https://app.example.com").json(&json!({})).send().await.unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
    }

    async fn grpc_with_another_codec_than_protobuf_is_refused(server: TestServer) {
        let client = admin(&server).await;
        for content_type in ["application/grpc+json", "application/grpcx", "application/grpc-web+json"] {
            let request = request(&client, Method::POST, LIST).header("content-type", content_type).body(vec![0; 5]);
            let status = request.send().await.unwrap().status();
            assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
        }
    }

    async fn bytes_that_are_no_message_are_the_callers_fault_in_every_protocol(server: TestServer) {
        let client = admin(&server).await;
        let connect = request(&client, Method::POST, GET)
            .header("content-type", "application/proto").body(vec![0x0a, 0xff]).send().await.unwrap();
        assert_eq!(error(connect).await, (400, "invalid_argument".to_owned()));
        let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let grpc = http2.post(format!("{}{GET}", server.url))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .bearer_auth(client.key.as_deref().unwrap())
            .body(vec![0, 0, 0, 0, 2, 0x0a, 0xff])
            .send().await.unwrap();
        assert_eq!(grpc.headers()["grpc-status"], "3");
    }

    async fn a_field_given_twice_is_named(server: TestServer) {
        let client = admin(&server).await;
        let path = "/gitpod.v1.OrganizationService/UpdateSCIMConfiguration";
        for (twice, field) in [
            (r#"{"name":"a","name":"b"}"#, "name"),
            (r#"{"ssoConfigurationId":"","sso_configuration_id":""}"#, "sso_configuration_id"),
        ] {
            let request = request(&client, Method::POST, path)
                .header("content-type", "application/json").body(twice);
            let response = request.send().await.unwrap();
            let body: Value = response.json().await.unwrap();
            assert_eq!(body["code"], "invalid_argument", "{body}");
            assert!(body["message"].as_str().unwrap().starts_with(field), "{body}");
        }
    }

    async fn a_grpc_message_that_cannot_be_unpacked_is_the_callers_fault(server: TestServer) {
        let client = admin(&server).await;
        let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        for (encoding, frame, status) in [
            ("gzip", vec![1, 0, 0, 0, 2, 1, 2], "3"),
            ("identity", vec![1, 0, 0, 0, 2, 1, 2], "3"),
            ("identity", vec![2, 0, 0, 0, 0], "3"),
            ("identity", Vec::new(), "12"),
        ] {
            let response = http2.post(format!("{}{GET}", server.url))
                .header("content-type", "application/grpc")
                .header("grpc-encoding", encoding)
                .header("te", "trailers")
                .bearer_auth(client.key.as_deref().unwrap())
                .body(frame.clone())
                .send().await.unwrap();
            assert_eq!(response.headers()["grpc-status"], status, "{encoding} {frame:?}: {:?}", response.headers());
        }
    }

    async fn a_stream_ends_with_its_deadline(server: TestServer) {
        let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let response = http2.post(format!("{}/grpc.health.v1.Health/Watch", server.url))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "300m")
            .body(vec![0; 5])
            .send().await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(5), response.bytes()).await;
        assert!(ended.is_ok(), "the health of a server may be watched for ever");
    }

    async fn a_client_that_waits_to_be_told_to_go_on_is_refused_at_once(server: TestServer) {
        let address = server.url.trim_start_matches("http://");
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!("POST {LIST} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
            expect: 100-continue\r\ncontent-length: 2\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(2), answered(&mut connection)).await;
        assert!(answer.expect("it is not asked for the body").starts_with("HTTP/1.1 401"));
    }

    async fn a_refusal_before_the_body_came_leaves_the_connection_usable(server: TestServer) {
        let client = admin(&server).await;
        let address = server.url.trim_start_matches("http://");
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!("POST {LIST} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n");
        connection.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        connection.write_all(b"{}").await.unwrap();
        assert!(answered(&mut connection).await.starts_with("HTTP/1.1 401"));
        let key = client.key.as_deref().unwrap();
        connection.write_all(format!("{head}authorization: Bearer {key}\r\n\r\n{{}}").as_bytes()).await.unwrap();
        assert!(answered(&mut connection).await.starts_with("HTTP/1.1 200"));
    }

    async fn reflection_answers_in_both_versions(server: TestServer) {
        use tonic_reflection::pb::v1::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let channel = tonic::transport::Channel::from_shared(server.url.clone()).unwrap().connect().await.unwrap();
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut answers = ServerReflectionClient::new(channel)
            .server_reflection_info(futures::stream::iter([request]))
            .await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
        let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
        for name in ["gitpod.v1.OrganizationService", "gitpod.v1.IdentityService", "grpc.health.v1.Health"] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
    }
}

/// The answer on a connection that stays open: head and as much body as it says.
async fn answered(connection: &mut tokio::net::TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(5), connection.read(&mut buffer));
        let read = read.await.expect("an answer comes").unwrap();
        assert_ne!(read, 0, "the connection was closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|length| length.parse() == Ok(body.len())) {
                return text;
            }
        }
    }
}
