//! Bad arguments: each is named, in the same words over every protocol, and
//! nothing of the request is done.

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use reqwest::StatusCode;
use scimd::proto::gitpod::v1::{
    CreateScimConfigurationRequest, ListScimConfigurationsRequest, PaginationRequest,
    UpdateScimConfigurationRequest,
};
use serde_json::{Map, Value, json};

use crate::harness::{SSO, TestServer, on_both_engines, violations_of};

on_both_engines! {
    async fn every_offending_field_is_named_in_one_answer_equal_over_grpc_and_connect(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let long = "é".repeat(129);
        let connect = client.call("CreateSCIMConfiguration", json!({
            "organizationId": "nonsense",
            "name": long,
            "tokenExpiresIn": "86399s",
        })).await;
        let over_connect = connect.violations();
        let fields: Vec<_> = over_connect.keys().map(String::as_str).collect();
        assert_eq!(fields, ["name", "organization_id", "sso_configuration_id", "token_expires_in"]);
        assert_eq!(connect.reason(), "ARGUMENT_INVALID");

        let grpc = client.grpc().await.create_scim_configuration(CreateScimConfigurationRequest {
            organization_id: "nonsense".to_owned(),
            name: Some(long),
            token_expires_in: Some(prost_types::Duration { seconds: 86_399, nanos: 0 }),
            ..Default::default()
        }).await.unwrap_err();
        assert_eq!(grpc.code(), tonic::Code::InvalidArgument);
        assert_eq!(violations_of(&grpc), over_connect);
        assert_eq!(grpc.message(), connect.body["message"].as_str().unwrap());

        let listed = client.call("ListSCIMConfigurations", json!({})).await.ok();
        assert_eq!(listed, json!({ "pagination": {} }), "nothing was made");
    }

    async fn a_name_may_have_128_characters_however_many_bytes(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let name = "é".repeat(128);
        let created = client.call("CreateSCIMConfiguration", json!({
            "organizationId": organization.to_string(), "ssoConfigurationId": SSO, "name": name,
        })).await.ok();
        assert_eq!(created["scimConfiguration"]["name"], name);
    }

    async fn a_name_that_postgres_cannot_store_is_refused_on_both(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let answer = client.call("CreateSCIMConfiguration", json!({
            "organizationId": organization.to_string(), "ssoConfigurationId": SSO, "name": "a\0b",
        })).await;
        assert_eq!(answer.violations().into_keys().collect::<Vec<_>>(), ["name"]);
    }

    async fn a_uuid_in_any_other_form_is_refused(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        for form in [
            id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}"), format!(" {id}"),
            id.replace('-', "_"), "x".to_owned(),
        ] {
            let answer = client.get(&form).await;
            assert_eq!(answer.violations().into_keys().collect::<Vec<_>>(), ["scim_configuration_id"], "{form}");
        }
    }

    async fn a_page_size_or_token_that_is_none_is_named(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        for (pagination, field) in [
            (json!({ "pageSize": -1 }), "pagination.page_size"),
            (json!({ "pageSize": 101 }), "pagination.page_size"),
            (json!({ "pageSize": "many" }), "pagination.page_size"),
            (json!({ "pageSize": 1.5 }), "pagination.page_size"),
            (json!({ "token": "nonsense" }), "pagination.token"),
            (json!({ "token": 7 }), "pagination.token"),
            (json!([]), "pagination"),
        ] {
            let body = json!({ "pagination": pagination });
            let answer = client.call("ListSCIMConfigurations", body).await;
            assert_eq!(answer.violations().into_keys().collect::<Vec<_>>(), [field], "{pagination}");
        }
        for query in ["pageSize=101", "pageSize=x", "page_size=-1", "token=nonsense"] {
            let path = format!("/gitpod.v1.OrganizationService/ListSCIMConfigurations?{query}");
            let answer = client.post(&path, json!({})).await;
            assert_eq!(answer.code(), "invalid_argument", "{query}");
            assert_eq!(answer.violations().len(), 1, "{query}");
        }
        let status = client.grpc().await.list_scim_configurations(ListScimConfigurationsRequest {
            pagination: Some(PaginationRequest { page_size: 101, token: String::new() }),
        }).await.unwrap_err();
        assert!(violations_of(&status).contains_key("pagination.page_size"), "{status:?}");
    }

    async fn a_duration_that_protobuf_does_not_know_is_refused(server: TestServer) {
        let organization = server.organization();
        let mut grpc = server.admin(organization).await.grpc().await;
        for (seconds, nanos) in [(90_000, -1), (90_000, 1_000_000_000), (i64::MAX, i32::MAX), (i64::MIN, 0)] {
            let status = grpc.create_scim_configuration(CreateScimConfigurationRequest {
                organization_id: organization.to_string(),
                sso_configuration_id: SSO.to_owned(),
                token_expires_in: Some(prost_types::Duration { seconds, nanos }),
                ..Default::default()
            }).await.unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument, "{seconds} {nanos}");
            assert!(violations_of(&status).contains_key("token_expires_in"), "{status:?}");
        }
    }

    async fn an_sso_configuration_in_an_update_is_a_uuid_or_empty(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        let update = async |sso: &str| {
            let request = UpdateScimConfigurationRequest {
                scim_configuration_id: id.clone(),
                sso_configuration_id: Some(sso.to_owned()),
                ..Default::default()
            };
            client.grpc().await.update_scim_configuration(request).await
        };
        assert_eq!(update("").await.unwrap().into_inner().scim_configuration.unwrap().sso_configuration_id, "");
        let refused = violations_of(&update("nonsense").await.unwrap_err());
        assert_eq!(refused["sso_configuration_id"], "must be a UUID, or empty to unlink");
    }

    async fn json_is_read_as_canonical_readers_do(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let created = client.call("CreateSCIMConfiguration", json!({
            "organization_id": organization.to_string(),
            "ssoConfigurationId": SSO,
            "name": null,
            "tokenExpiresIn": null,
            "allow_unverified_email_account_linking": null,
            "unknown": { "nested": [1, null] },
        })).await;
        assert_eq!(created.clone().ok()["scimConfiguration"].get("name"), None);
        let list = async |pagination: Value| {
            let body = json!({ "pagination": pagination });
            client.call("ListSCIMConfigurations", body).await.ok()["scimConfigurations"].as_array().unwrap().len()
        };
        client.create(organization).await.ok();
        assert_eq!(list(Value::Null).await, 2);
        assert_eq!(list(json!({ "pageSize": null, "token": null })).await, 2);
        // A number may be a text, or have an exponent or a fraction of zero.
        for one in [json!(1), json!("1"), json!(1.0)] {
            assert_eq!(list(json!({ "page_size": one })).await, 1, "{one}");
        }
        let answer = client.get(&created.id()).await;
        assert_eq!(answer.id(), created.id());
    }

    async fn what_is_no_message_is_refused_without_harm(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let http = reqwest::Client::new();
        let deep = format!("{{\"unknown\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for body in ["", "null", "[]", "5", "{", "{}x", "{\"scimConfigurationId\":}", "\u{feff}{}", &deep] {
            let request = http
                .post(format!("{}/gitpod.v1.OrganizationService/GetSCIMConfiguration", server.url))
                .header("content-type", "application/json")
                .bearer_auth(client.key.as_deref().unwrap())
                .body(body.to_owned());
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body:.20}");
            let error: Value = response.json().await.unwrap();
            assert_eq!(error["code"], "invalid_argument", "{body:.20}");
        }
    }

    async fn the_rules_of_the_descriptor_and_those_that_are_enforced_are_the_same(server: TestServer) {
        let organization = server.organization();
        let client = server.admin(organization).await;
        let id = client.create(organization).await.id();
        let pool = DescriptorPool::decode(scimd::proto::FILE_DESCRIPTOR_SET).unwrap();
        let service = pool.get_service_by_name("gitpod.v1.OrganizationService").unwrap();
        let mut probed = 0;
        for method in service.methods() {
            for probe in probes(&pool, &method.input(), &id, &organization.to_string()) {
                let answer = client.call(method.name(), probe.body.clone()).await;
                let named = answer.body["code"] == "invalid_argument"
                    && answer.violations().contains_key(&probe.field);
                assert_eq!(named, !probe.kept, "{} {}: {answer:?}", method.name(), probe.what);
                probed += 1;
            }
        }
        assert!(probed > 40, "only {probed} probes: rules were overlooked");
    }
}

/// A request in which one field keeps or breaks one rule, and all others are
/// as they must be.
struct Probe {
    field: String,
    what: String,
    kept: bool,
    body: Value,
}

/// For each rule of each field of `message`, values at its bounds: inside and
/// outside.
fn probes(
    pool: &DescriptorPool,
    message: &MessageDescriptor,
    id: &str,
    organization: &str,
) -> Vec<Probe> {
    let mut valid = Map::new();
    for field in message.fields() {
        match field.name() {
            "organization_id" => valid.insert(field.json_name().into(), organization.into()),
            // Deleting or regenerating need not succeed: the argument is what is probed.
            "scim_configuration_id" => valid.insert(field.json_name().into(), id.into()),
            "sso_configuration_id" => valid.insert(field.json_name().into(), SSO.into()),
            _ => None,
        };
    }
    let mut probes = Vec::new();
    for field in message.fields() {
        for (what, value, kept) in bounds(pool, &field) {
            let mut body = valid.clone();
            body.insert(field.json_name().into(), value);
            let body = Value::Object(body);
            probes.push(Probe {
                field: field.name().into(),
                what: format!("{} {what}", field.name()),
                kept,
                body,
            });
        }
        let Some(nested) = field
            .kind()
            .as_message()
            .filter(|nested| nested.package_name() == "gitpod.v1")
            .cloned()
        else {
            continue;
        };
        for inner in self::probes(pool, &nested, id, organization) {
            let mut body = valid.clone();
            body.insert(field.json_name().into(), inner.body);
            probes.push(Probe {
                field: format!("{}.{}", field.name(), inner.field),
                what: format!("{}.{}", field.name(), inner.what),
                kept: inner.kept,
                body: Value::Object(body),
            });
        }
    }
    probes
}

/// What the rules of a field say of values next to their bounds.
fn bounds(pool: &DescriptorPool, field: &FieldDescriptor) -> Vec<(String, Value, bool)> {
    let extension = pool.get_extension_by_name("buf.validate.field").unwrap();
    let options = field.options();
    if !options.has_extension(&extension) {
        return Vec::new();
    }
    let rules = options.get_extension(&extension).as_message().unwrap().clone();
    let mut probes: Vec<(String, Value, bool)> = Vec::new();
    let mut add =
        |what: &str, value: Value, kept: bool| probes.push((what.to_owned(), value, kept));
    let required = rules.get_field_by_name("required").unwrap().as_bool().unwrap();
    let uuid_or_empty =
        rules.get_field_by_name("cel").unwrap().as_list().is_some_and(|cel| !cel.is_empty());
    add("absent", Value::Null, !required);
    match field.kind() {
        Kind::String => {
            let string = part(&rules, "string");
            if string
                .as_ref()
                .is_some_and(|rules| rules.get_field_by_name("uuid").unwrap().as_bool().unwrap())
                || uuid_or_empty
            {
                add("upper-case UUID", SSO.to_uppercase().into(), true);
                add("no UUID", "nonsense".into(), false);
                add("UUID with a tail", format!("{SSO}0").into(), false);
                add("UUID without dashes", SSO.replace('-', "").into(), false);
            }
            if required || uuid_or_empty {
                add("empty", "".into(), uuid_or_empty);
            }
            if let Some(most) =
                string.and_then(|rules| bound(&rules, "max_len")).and_then(|most| most.as_u64())
            {
                let most = usize::try_from(most).unwrap();
                add("longest", "é".repeat(most).into(), true);
                add("too long", "é".repeat(most + 1).into(), false);
            }
        }
        Kind::Int32 => {
            let int32 = part(&rules, "int32").unwrap();
            let (least, most) = (
                bound(&int32, "gte").unwrap().as_i32().unwrap(),
                bound(&int32, "lte").unwrap().as_i32().unwrap(),
            );
            for (value, kept) in
                [(least - 1, false), (least, true), (most, true), (most + 1, false)]
            {
                add(&value.to_string(), value.into(), kept);
            }
        }
        Kind::Message(message) if message.full_name() == "google.protobuf.Duration" => {
            let duration = part(&rules, "duration").unwrap();
            let seconds = |name| {
                let bound = bound(&duration, name).unwrap();
                bound.as_message().unwrap().get_field_by_name("seconds").unwrap().as_i64().unwrap()
            };
            let (least, most) = (seconds("gte"), seconds("lte"));
            for (value, kept) in [
                (format!("{}.999999999s", least - 1), false),
                (format!("{least}s"), true),
                (format!("{most}s"), true),
                (format!("{most}.000000001s"), false),
            ] {
                add(&value, value.clone().into(), kept);
            }
        }
        kind => panic!("{}: no probes for {kind:?}", field.full_name()),
    }
    probes
}

fn part(rules: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    bound(rules, name).map(|value| value.as_message().unwrap().clone())
}

fn bound(rules: &DynamicMessage, name: &str) -> Option<prost_reflect::Value> {
    rules.has_field_by_name(name).then(|| rules.get_field_by_name(name).unwrap().into_owned())
}
