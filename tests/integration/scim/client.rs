//! A caller of the SCIM server, and what it gets.

use std::collections::BTreeSet;

use reqwest::header::{CONTENT_TYPE, HeaderMap, USER_AGENT};
use reqwest::{Method, RequestBuilder};
use scimd::model::OrganizationId;
use serde_json::{Value, json};

use super::{ERROR, LIST, SCIM_JSON, bulk, encoded, group, id, members, patch, user};
use crate::harness::{Client, Replica, TestServer};

/// A caller that knows no more than what an administrator pastes into an
/// identity provider, so that it could call any server.
#[derive(Clone)]
pub struct ScimClient {
    pub base: String,
    pub token: String,
    /// Of requests with a body.
    pub content_type: &'static str,
    pub user_agent: Option<&'static str>,
    http: reqwest::Client,
}

/// A configuration: what its identity provider calls, and what its
/// administrator does.
pub struct Tenant {
    pub scim: ScimClient,
    pub rpc: Client,
    pub configuration: String,
}

/// What a request came back with.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// `Null` where there is none.
    pub body: Value,
}

impl Tenant {
    /// A configuration of `organization`.
    pub async fn new(server: &TestServer, organization: OrganizationId) -> Self {
        let rpc = server.admin(organization).await;
        let created = rpc.create(organization).await;
        let configuration = created.id();
        let base = format!("{}/scim/v2/{configuration}", server.url);
        Self { scim: ScimClient::at(&base, &created.token()), rpc, configuration }
    }

    /// Allows that users with one email belong to one account.
    pub async fn share_emails(&self) {
        let allow = json!({ "allowUnverifiedEmailAccountLinking": true });
        self.call("UpdateSCIMConfiguration", allow).await;
    }

    /// Calls a method with the id of the configuration and `fields`.
    pub async fn call(&self, method: &str, mut fields: Value) -> Value {
        fields["scimConfigurationId"] = json!(self.configuration);
        self.rpc.call(method, fields).await.ok()
    }
}

impl ScimClient {
    /// A client of a new configuration of a new organization.
    pub async fn new(server: &TestServer) -> Self {
        Tenant::new(server, server.organization()).await.scim
    }

    /// The same, and users with one email may belong to one account.
    pub async fn of_shared_emails(server: &TestServer) -> Self {
        let tenant = Tenant::new(server, server.organization()).await;
        tenant.share_emails().await;
        tenant.scim
    }

    /// A client of the SCIM server at `base`.
    pub fn at(base: &str, token: &str) -> Self {
        Self {
            base: base.to_owned(),
            token: token.to_owned(),
            content_type: SCIM_JSON,
            user_agent: None,
            http: reqwest::Client::new(),
        }
    }

    /// The same at another server on the same database.
    pub fn at_replica(&self, server: &TestServer, replica: &Replica) -> Self {
        self.at_url(server, &replica.url)
    }

    /// The same at another server on the same database, by the URL of that.
    pub fn at_url(&self, server: &TestServer, url: &str) -> Self {
        Self { base: self.base.replace(&server.url, url), ..self.clone() }
    }

    /// The same with the headers of a certain identity provider.
    pub fn speaking(mut self, user_agent: &'static str, content_type: &'static str) -> Self {
        self.user_agent = Some(user_agent);
        self.content_type = content_type;
        self
    }

    /// A request as far as the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    /// A request without any credential.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match self.user_agent {
            Some(name) => request.header(USER_AGENT, name),
            None => request,
        }
    }

    /// A request with a body of the media type that this client uses.
    pub async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.request(method, path).header(CONTENT_TYPE, self.content_type);
        answer(request.body(body.to_string())).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        self.send(Method::PATCH, path, patch(operations)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    /// A resource that is there.
    pub async fn read(&self, path: &str) -> Value {
        self.get(path).await.ok()
    }

    /// A list; see [`listed`].
    pub async fn list(&self, path: &str) -> Value {
        listed(self.get(path).await)
    }

    /// The resources that a filter selects.
    pub async fn find(&self, path: &str, filter: &str) -> Value {
        self.list(&format!("{path}?filter={}", encoded(filter))).await
    }

    /// The id of a new user.
    pub async fn make_user(&self, name: &str) -> String {
        id(&self.post("/Users", user(name)).await.created())
    }

    /// The ids of so many new users, in few requests.
    pub async fn make_users(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for chunk in (0..count).collect::<Vec<_>>().chunks(500) {
            let operations: Vec<_> = chunk
                .iter()
                .map(|number| {
                    let data = user(&format!("user-{number:04}@example.com"));
                    json!({ "method": "POST", "path": "/Users", "bulkId": format!("u{number}"), "data": data })
                })
                .collect();
            let done = self.post("/Bulk", bulk(operations)).await.ok();
            for operation in done["Operations"].as_array().unwrap() {
                assert_eq!(operation["status"], "201", "{operation}");
                let location = operation["location"].as_str().unwrap();
                ids.push(location.rsplit('/').next().unwrap().to_owned());
            }
        }
        assert_eq!(ids.len(), count);
        ids
    }

    /// The id of a new group.
    pub async fn make_group(&self, name: &str, members: &[&str]) -> String {
        id(&self.post("/Groups", group(name, members)).await.created())
    }

    /// The ids of a group's members.
    pub async fn members(&self, group: &str) -> BTreeSet<String> {
        members(&self.read(&format!("/Groups/{group}")).await)
    }
}

/// Sends a request, and holds the answer to what every answer must be.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let text = String::from_utf8_lossy(&bytes);
    if bytes.is_empty() {
        assert!([204, 304].contains(&status), "{status} without a body");
        return Answer { status, headers, body: Value::Null };
    }
    assert_eq!(headers.get(CONTENT_TYPE).unwrap(), SCIM_JSON, "{status} {text}");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text}"));
    if status >= 400 {
        assert_eq!(body["schemas"], json!([ERROR]), "{text}");
        assert_eq!(body["status"], status.to_string(), "{text}");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{text}");
    }
    Answer { status, headers, body }
}

impl Answer {
    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub fn ok(self) -> Value {
        self.expect(200)
    }

    #[track_caller]
    pub fn created(self) -> Value {
        self.expect(201)
    }

    #[track_caller]
    pub fn gone(self) {
        assert_eq!(self.expect(204), Value::Null);
    }

    /// Status and `scimType` of an error, `""` where it has none.
    #[track_caller]
    pub fn fault(&self) -> (u16, &str) {
        assert!(self.status >= 400, "{self:?}");
        (self.status, self.body["scimType"].as_str().unwrap_or_default())
    }

    #[track_caller]
    pub fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_else(|| panic!("no error: {self:?}"))
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().unwrap()
    }
}

/// The body of an answer that must be a `ListResponse` that agrees with itself.
#[track_caller]
pub fn listed(answer: Answer) -> Value {
    let list = answer.ok();
    assert_eq!(list["schemas"], json!([LIST]), "{list}");
    assert!(list["totalResults"].is_u64(), "{list}");
    let resources = list["Resources"].as_array().unwrap_or_else(|| panic!("no resources: {list}"));
    assert_eq!(list["itemsPerPage"], resources.len(), "{list}");
    list
}
