//! `/Bulk` (RFC 7644 3.7): many operations in one request, each done by itself.

mod order;

use std::collections::HashSet;

use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use self::order::{Order, REFERENCE, references};
use super::answer::Answer;
use super::body::Body;
use super::change::{Action, Change};
use super::client::Client;
use super::error::Error;
use crate::scim::protocol::fault::{Fault, ScimType};
use crate::scim::protocol::projection::Projection;
use crate::scim::protocol::schema::{GROUP, RESOURCE_TYPES, USER};
use crate::scim::protocol::value::{self, Object};

/// The most operations of one request, as ServiceProviderConfig says.
pub const MAX_OPERATIONS: usize = 1_000;

/// Does the operations, those first that others refer to.
pub async fn bulk(client: Client, Body(body): Body) -> Result<Answer, Error> {
    let request = Request::read(&body)?;
    let mut results: Vec<Option<Value>> = vec![None; request.operations.len()];
    let mut order = Order::of(&request.operations, || client.repository.new_id());
    let mut errors = 0;
    let mut waiting: Vec<_> = request.operations.iter().collect();
    // RFC 7644 3.7: "If the "failOnErrors" attribute is not specified [...] the
    // service provider will continue".
    let enough = |errors: u64| request.fail_on_errors.is_some_and(|most| errors >= most);
    while !waiting.is_empty() && !enough(errors) {
        let next = order.next(&waiting);
        let operation = waiting.remove(next.unwrap_or(0));
        let outcome = match next {
            Some(_) => operation.run(&client, &order).await,
            None => Err(operation.refuse(&order)),
        };
        order.done(operation, outcome.is_ok());
        errors += u64::from(outcome.is_err());
        results[operation.place] = Some(operation.tell(outcome));
    }
    let results: Vec<_> = results.into_iter().flatten().collect();
    Ok(Answer::of(Object::from_iter([
        ("schemas".to_owned(), json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"])),
        ("Operations".to_owned(), json!(results)),
    ])))
}

struct Request {
    operations: Vec<Operation>,
    fail_on_errors: Option<u64>,
}

struct Operation {
    /// Which one of the request it is.
    place: usize,
    method: String,
    path: String,
    bulk_id: Option<String>,
    version: Option<Value>,
    data: Value,
    /// The bulkIds that it refers to.
    references: Vec<String>,
}

impl Request {
    fn read(body: &Value) -> Result<Self, Error> {
        let syntax = |detail: &str| Fault::new(ScimType::InvalidSyntax, detail);
        let body = body.as_object().ok_or_else(|| syntax("The body must be an object."))?;
        let operations = value::get(body, "Operations").and_then(Value::as_array);
        let operations = operations.ok_or_else(|| syntax("`Operations` must be an array."))?;
        if operations.len() > MAX_OPERATIONS {
            return Err(Error::TooManyOperations(MAX_OPERATIONS));
        }
        let operations = operations.iter().enumerate().map(|(place, operation)| {
            let operation = operation.as_object();
            operation
                .map(|operation| Operation::read(place, operation))
                .ok_or_else(|| syntax("An operation must be an object."))
        });
        let operations: Vec<_> = operations.collect::<Result<_, _>>()?;
        // Who refers to it would mean one of the two.
        let mut known = HashSet::new();
        let new = operations.iter().filter(|operation| operation.is_post());
        if let Some(twice) =
            new.filter_map(|operation| operation.bulk_id.as_ref()).find(|id| !known.insert(*id))
        {
            let detail = format!("The `bulkId` {twice:?} is given to two operations.");
            return Err(Fault::value(detail).into());
        }
        Ok(Self { operations, fail_on_errors: fail_on_errors(value::get(body, "failOnErrors"))? })
    }
}

/// After how many errors to stop; `None`: never. With 0 nothing at all would be
/// done, and nothing be said of it.
fn fail_on_errors(given: Option<&Value>) -> Result<Option<u64>, Error> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(limit) => {
            let limit = limit.as_u64().filter(|limit| *limit > 0).ok_or_else(|| {
                let detail = "`failOnErrors` must be an integer of at least 1.";
                Fault::new(ScimType::InvalidValue, detail)
            })?;
            Ok(Some(limit))
        }
    }
}

impl Operation {
    fn read(place: usize, operation: &Object) -> Self {
        let text =
            |name: &str| value::get(operation, name).and_then(Value::as_str).map(str::to_owned);
        let path = text("path").unwrap_or_default();
        let data = value::get(operation, "data").cloned().unwrap_or(Value::Null);
        let of_path = path.rsplit('/').next().and_then(|part| part.strip_prefix(REFERENCE));
        let mut found: Vec<_> = of_path.map(str::to_owned).into_iter().collect();
        references("", &data, &mut found);
        Self {
            place,
            method: text("method").unwrap_or_default().to_ascii_uppercase(),
            path,
            bulk_id: text("bulkId"),
            version: value::get(operation, "version").filter(|it| !it.is_null()).cloned(),
            data,
            references: found,
        }
    }

    fn is_post(&self) -> bool {
        self.method == "POST"
    }

    fn is_new_user(&self) -> bool {
        self.is_post() && self.path.trim_matches('/') == USER.endpoint.trim_matches('/')
    }

    fn refuse(&self, order: &Order) -> Error {
        let reference = order.missing(self).unwrap_or_default();
        Error::Unresolved(format!(
            "`bulkId:{reference}` refers to no operation of this request that could be done before \
             this one."
        ))
    }

    async fn run(&self, client: &Client, order: &Order) -> Result<Answer, Error> {
        let mut headers = HeaderMap::new();
        if let Some(version) = &self.version {
            // Who names a version means no other.
            let version = version.as_str().and_then(|text| HeaderValue::from_str(text).ok());
            let version = version.ok_or_else(|| {
                let detail = "`version` must be a text such as W/\"1\".";
                Fault::new(ScimType::InvalidSyntax, detail)
            })?;
            headers.insert(IF_MATCH, version);
        }
        let path = self.path.trim_matches('/');
        let (endpoint, id) = path.split_once('/').map_or((path, None), |(a, b)| (a, Some(b)));
        let id = id.map(|id| match id.strip_prefix(REFERENCE) {
            Some(reference) => order.id(reference).map(|id| id.to_string()).unwrap_or_default(),
            None => id.to_owned(),
        });
        let of = RESOURCE_TYPES.iter().find(|of| of.endpoint.trim_matches('/') == endpoint);
        let (of, action) = match (of, self.method.as_str(), id) {
            // RFC 7644 3.7: "bulkId [...] REQUIRED when "method" is "POST"".
            (_, "POST", None) if self.bulk_id.is_none() => {
                return Err(Fault::new(ScimType::InvalidSyntax, "A POST needs a `bulkId`.").into());
            }
            (Some(of), "POST", None) => {
                (of, Action::Create(self.bulk_id.as_deref().and_then(|id| order.id(id))))
            }
            (Some(of), "PUT", Some(id)) => (of, Action::Replace(id)),
            (Some(of), "PATCH", Some(id)) => (of, Action::Patch(id)),
            (Some(of), "DELETE", Some(id)) => (of, Action::Delete(id)),
            _ => return Err(self.impossible()),
        };
        let (body, projection) = (order.resolved(&self.data), Projection::default());
        Change { of, action, headers, body, projection }.make(client).await
    }

    fn impossible(&self) -> Error {
        let detail = format!(
            "{} of {:?} is not possible: POST to {} or {}; PUT, PATCH or DELETE one of them.",
            self.method, self.path, USER.endpoint, GROUP.endpoint
        );
        Fault::new(ScimType::InvalidSyntax, detail).into()
    }

    /// The operation's part of the answer (RFC 7644 3.7.3).
    fn tell(&self, outcome: Result<Answer, Error>) -> Value {
        let mut result = json!({ "method": self.method });
        if let Some(bulk_id) = &self.bulk_id {
            result["bulkId"] = json!(bulk_id);
        }
        let status = match outcome {
            Ok(answer) => {
                if let Some(location) = answer.location {
                    result["location"] = json!(location);
                }
                if let Some(etag) = answer.etag {
                    result["version"] = json!(etag);
                }
                answer.status
            }
            Err(error) => {
                let (status, body) = error.tell();
                result["response"] = body;
                status
            }
        };
        // "status" is a text, as in errors.
        result["status"] = json!(StatusCode::as_str(&status));
        result
    }
}
