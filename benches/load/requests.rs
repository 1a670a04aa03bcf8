//! Requests, built cheaply, and what their answers must be.

use anyhow::{Context as _, ensure};
use axum::body::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use scimd::model::{Instant, Position};

use crate::operations::{Action, Operation, PAGE, Protocol};
use crate::rpc::Method as RpcMethod;
use crate::subject::Subject;
use crate::world::World;

/// What all requests of one run have in common.
pub struct Requests {
    world: World,
    authority: String,
    host: HeaderValue,
    token: HeaderValue,
    key: HeaderValue,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

impl Requests {
    /// To the server at `authority`, `127.0.0.1:8080` for instance.
    pub fn new(world: &World, authority: &str) -> anyhow::Result<Self> {
        Ok(Self {
            world: world.clone(),
            authority: authority.to_owned(),
            host: HeaderValue::from_str(authority)?,
            token: HeaderValue::from_str(&format!("Bearer {}", world.token))?,
            key: HeaderValue::from_str(&format!("Bearer {}", world.key))?,
        })
    }

    /// A request for `operation`.
    pub fn build(&self, operation: &Operation, subject: &Subject) -> Request<Full<Bytes>> {
        match operation.action {
            Action::Rpc(method) => self.rpc(operation.protocol, method, subject),
            action => self.scim(action, subject),
        }
    }

    /// A request of an identity provider, below the base URL of its configuration.
    pub fn raw(&self, method: Method, path: &str, body: Option<Bytes>) -> Request<Full<Bytes>> {
        let path = format!("/scim/v2/{}{path}", self.world.configuration);
        let has_body = body.is_some();
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::try_from(path).expect("a path of this file");
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(AUTHORIZATION, self.token.clone());
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        }
        request
    }

    fn scim(&self, action: Action, subject: &Subject) -> Request<Full<Bytes>> {
        let (user, group) = (subject.user, subject.group());
        let get = |path: String| self.raw(Method::GET, &path, None);
        let patch = |path: String, operation: String| {
            let body = format!(
                "{{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\
                 \"Operations\":[{operation}]}}"
            );
            self.raw(Method::PATCH, &path, Some(body.into()))
        };
        match action {
            Action::CreateUser => {
                self.raw(Method::POST, "/Users", Some(subject.person.document(true).into()))
            }
            Action::GetUser => get(format!("/Users/{user}")),
            Action::FindByUserName => {
                let name = subject.person.user_name();
                get(format!("/Users?filter=userName%20eq%20%22{name}%22"))
            }
            Action::FindByExternalId => {
                let id = subject.person.external_id();
                get(format!("/Users?filter=externalId%20eq%20%22{id}%22"))
            }
            Action::PatchUser => patch(
                format!("/Users/{user}"),
                format!("{{\"op\":\"replace\",\"path\":\"active\",\"value\":{}}}", subject.flag),
            ),
            Action::FirstPage => get(format!("/Users?startIndex=1&count={PAGE}")),
            Action::PageBehind => {
                let created_at = Instant::from_micros(subject.created_at);
                let cursor = Position { created_at, id: user };
                get(format!("/Users?cursor={cursor}&count={PAGE}"))
            }
            Action::Members { .. } => {
                let entries = subject.many.iter().map(|id| format!("{{\"value\":\"{id}\"}}"));
                let entries = entries.collect::<Vec<_>>().join(",");
                let op = if subject.more_members > 0 { "add" } else { "remove" };
                patch(
                    format!("/Groups/{group}?excludedAttributes=members"),
                    format!("{{\"op\":\"{op}\",\"path\":\"members\",\"value\":[{entries}]}}"),
                )
            }
            Action::RenameGroup { .. } => {
                let name = subject.display_name();
                patch(
                    format!("/Groups/{group}?excludedAttributes=members"),
                    format!("{{\"op\":\"replace\",\"path\":\"displayName\",\"value\":\"{name}\"}}"),
                )
            }
            Action::GetGroup { .. } => get(format!("/Groups/{group}?excludedAttributes=members")),
            Action::Rpc(_) => unreachable!("built elsewhere"),
        }
    }

    fn rpc(
        &self,
        protocol: Protocol,
        method: RpcMethod,
        subject: &Subject,
    ) -> Request<Full<Bytes>> {
        let organization = self.world.organization;
        let (media_type, body) = match protocol {
            Protocol::Grpc => ("application/grpc", method.framed(organization, subject)),
            Protocol::ConnectBinary => {
                ("application/proto", method.binary(organization, subject).into())
            }
            _ => ("application/json", method.json(organization, subject)),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        let uri = if protocol.is_http2() {
            format!("http://{}{}", self.authority, method.path())
        } else {
            method.path().to_owned()
        };
        *request.uri_mut() = Uri::try_from(uri).expect("a path of this file");
        let headers = request.headers_mut();
        if !protocol.is_http2() {
            headers.insert(HOST, self.host.clone());
        }
        headers.insert(AUTHORIZATION, self.key.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if protocol == Protocol::Grpc {
            headers.insert("te", HeaderValue::from_static("trailers"));
        } else {
            headers.insert("connect-protocol-version", HeaderValue::from_static("1"));
        }
        request
    }
}

impl Operation {
    /// Fails unless the answer is a success.
    pub fn check_status(&self, answer: &Answer) -> anyhow::Result<()> {
        let status = answer.status.as_u16();
        let expected = match self.action {
            Action::CreateUser => status == 201,
            // Large groups are not shown by a PATCH.
            Action::Members { .. } | Action::RenameGroup { .. } => matches!(status, 200 | 204),
            _ => status == 200,
        };
        let grpc = |headers: Option<&HeaderMap>| headers?.get("grpc-status").cloned();
        let status = grpc(answer.trailers.as_ref()).or_else(|| grpc(Some(&answer.headers)));
        let ended_well = self.protocol != Protocol::Grpc || status.is_some_and(|code| code == "0");
        ensure!(expected && ended_well, "{}: unexpected answer {answer:?}", self.name);
        Ok(())
    }

    /// Fails unless the answer is about the subject.
    pub fn check_content(&self, subject: &Subject, answer: &Answer) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(&answer.body);
        let wanted: Vec<String> = match self.action {
            Action::CreateUser | Action::FindByExternalId => vec![subject.person.user_name()],
            Action::GetUser => vec![subject.user.to_string(), subject.person.user_name()],
            Action::FindByUserName => {
                vec![subject.user.to_string(), "\"totalResults\":1,".to_owned()]
            }
            Action::PatchUser => vec![format!("\"active\":{}", subject.flag)],
            Action::FirstPage | Action::PageBehind => {
                let shown = text.matches("\"resourceType\":\"User\"").count();
                // Users who were created in this run follow behind the last.
                ensure!(shown >= subject.many.len(), "a page of {shown} users");
                subject.many.iter().map(ToString::to_string).collect()
            }
            Action::RenameGroup { .. } if answer.status == StatusCode::NO_CONTENT => Vec::new(),
            Action::RenameGroup { .. } | Action::GetGroup { .. } => {
                ensure!(!text.contains("\"members\""), "members are shown: {text}");
                vec![subject.group().to_string()]
            }
            Action::Rpc(RpcMethod::Create | RpcMethod::Regenerate) => {
                vec!["scimd_scim_".to_owned()]
            }
            Action::Rpc(RpcMethod::Get) => vec![subject.configuration.to_string()],
            Action::Rpc(RpcMethod::Update) => vec![subject.name()],
            Action::Rpc(RpcMethod::List) => vec![self::first_spare()],
            Action::Members { .. } | Action::Rpc(RpcMethod::Delete) => Vec::new(),
        };
        for wanted in wanted {
            ensure!(text.contains(&wanted), "{}: no {wanted} in {text}", self.name);
        }
        let etag = answer.headers.get("etag");
        let has_tag = matches!(
            self.action,
            Action::CreateUser | Action::GetUser | Action::PatchUser | Action::Members { .. }
        );
        if has_tag {
            etag.with_context(|| format!("{}: no ETag", self.name))?;
        }
        Ok(())
    }
}

/// The oldest configuration is on every first page.
fn first_spare() -> String {
    crate::world::Spare(0).id().to_string()
}
