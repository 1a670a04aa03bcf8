//! Clients of the control plane: Connect with JSON for reading along, gRPC for
//! everything else.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use prost::Message as _;
use reqwest::StatusCode;
use scimd::proto::gitpod::v1::organization_service_client::OrganizationServiceClient;
use serde_json::{Value, json};
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic_types::pb;

/// The gRPC client that tonic generates, with a credential.
pub type GrpcClient = OrganizationServiceClient<
    InterceptedService<
        Channel,
        Box<dyn FnMut(tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> + Send>,
    >,
>;

/// A caller of `gitpod.v1.OrganizationService`.
#[derive(Clone)]
pub struct Client {
    pub url: String,
    pub key: Option<String>,
    http: reqwest::Client,
}

/// What a call came back with.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Client {
    pub fn new(url: &str, key: Option<&str>) -> Self {
        Self { url: url.to_owned(), key: key.map(str::to_owned), http: reqwest::Client::new() }
    }

    /// A POST of `body` to a method of the organization service.
    pub async fn call(&self, method: &str, body: Value) -> Answer {
        self.post(&format!("/gitpod.v1.OrganizationService/{method}"), body).await
    }

    /// A POST of `body` to any path.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url)).json(&body);
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status();
        Answer { status, body: response.json().await.unwrap_or(Value::Null) }
    }

    /// What a POST to a server that may not be there comes back with, if anything.
    pub async fn try_post(&self, path: &str, body: Value) -> Option<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).json(&body);
        let request = request.bearer_auth(self.key.as_deref().unwrap_or_default());
        request.timeout(Duration::from_secs(5)).send().await.ok()?.json().await.ok()
    }

    /// Makes a configuration with nothing but what must be said.
    pub async fn create(&self, organization: impl ToString) -> Answer {
        let body = json!({
            "organizationId": organization.to_string(),
            "ssoConfigurationId": SSO,
        });
        self.call("CreateSCIMConfiguration", body).await
    }

    /// One configuration.
    pub async fn get(&self, id: &str) -> Answer {
        self.call("GetSCIMConfiguration", json!({ "scimConfigurationId": id })).await
    }

    /// The same caller through gRPC.
    pub async fn grpc(&self) -> GrpcClient {
        let channel = Channel::from_shared(self.url.clone()).unwrap().connect().await.unwrap();
        let credential =
            self.key.as_ref().map(|key| MetadataValue::try_from(format!("Bearer {key}")).unwrap());
        OrganizationServiceClient::with_interceptor(
            channel,
            Box::new(move |mut request: tonic::Request<()>| {
                if let Some(credential) = &credential {
                    request.metadata_mut().insert("authorization", credential.clone());
                }
                Ok(request)
            }),
        )
    }
}

/// An SSO configuration for those that do not care which.
pub const SSO: &str = "5d4f9f0e-3b34-4c62-9a94-6a2a6f3a0c11";

impl Answer {
    /// The body of an answer that must be a success.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body
    }

    /// The id of the configuration in the answer.
    pub fn id(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body["scimConfiguration"]["id"].as_str().unwrap().to_owned()
    }

    /// The token in the answer.
    pub fn token(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body["token"].as_str().unwrap().to_owned()
    }

    /// Connect's code of an answer that must be an error.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_else(|| panic!("no error: {self:?}"))
    }

    /// The fields that `google.rpc.BadRequest` names, with what it says of each.
    pub fn violations(&self) -> BTreeMap<String, String> {
        let bad_request: pb::BadRequest = self.detail("google.rpc.BadRequest");
        by_field(&bad_request)
    }

    /// The `reason` of `google.rpc.ErrorInfo`.
    pub fn reason(&self) -> String {
        let info: pb::ErrorInfo = self.detail("google.rpc.ErrorInfo");
        assert_eq!(info.domain, "scimd");
        info.reason
    }

    fn detail<T: prost::Message + Default>(&self, name: &str) -> T {
        let details = self.body["details"].as_array().map(Vec::as_slice).unwrap_or_default();
        let detail = details
            .iter()
            .find(|detail| detail["type"] == name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"));
        let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
        T::decode(engine.decode(detail["value"].as_str().unwrap()).unwrap().as_slice()).unwrap()
    }
}

/// The fields that a gRPC error names, with what it says of each.
pub fn violations_of(status: &tonic::Status) -> BTreeMap<String, String> {
    let rich = pb::Status::decode(status.details()).unwrap();
    let detail = rich
        .details
        .iter()
        .find(|detail| detail.type_url == "type.googleapis.com/google.rpc.BadRequest")
        .unwrap_or_else(|| panic!("no BadRequest: {status:?}"));
    by_field(&pb::BadRequest::decode(detail.value.as_slice()).unwrap())
}

fn by_field(bad_request: &pb::BadRequest) -> BTreeMap<String, String> {
    let violations = bad_request.field_violations.iter();
    violations.map(|each| (each.field.clone(), each.description.clone())).collect()
}
