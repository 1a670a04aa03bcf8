//! `/Bulk` (RFC 7644 3.7): many operations in one request, each done by itself.

use std::collections::HashMap;

use axum::Extension;
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

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
/// How another operation of the request is referred to (RFC 7644 3.7.2).
const REFERENCE: &str = "bulkId:";

/// Does the operations, those first that others refer to.
pub async fn bulk(Extension(client): Extension<Client>, Body(body): Body) -> Result<Answer, Error> {
    let request = Request::read(&body)?;
    let mut results: Vec<Option<Value>> = vec![None; request.operations.len()];
    let mut ids = HashMap::new();
    let mut errors = 0;
    let mut waiting: Vec<usize> = (0..request.operations.len()).collect();
    // RFC 7644 3.7: "If the "failOnErrors" attribute is not specified [...] the
    // service provider will continue".
    let enough = |errors: u64| request.fail_on_errors.is_some_and(|most| errors >= most);
    while !waiting.is_empty() && !enough(errors) {
        let ready = |place: &usize| request.operations[*place].unresolved(&ids).is_none();
        let next = waiting.iter().position(ready);
        // Where nothing is ready, what is left refers to itself or to nothing.
        let operation = &request.operations[waiting.remove(next.unwrap_or(0))];
        let outcome = match next {
            Some(_) => operation.run(&client, &ids).await,
            None => Err(operation.refuse(&ids)),
        };
        if let (Ok(answer), Some(bulk_id)) = (&outcome, &operation.bulk_id) {
            let id = answer.location.as_ref().and_then(|location| location.rsplit('/').next());
            ids.extend(id.map(|id| (bulk_id.clone(), id.to_owned())));
        }
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
    version: Option<String>,
    data: Value,
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
        Ok(Self {
            operations: operations.collect::<Result<_, _>>()?,
            fail_on_errors: fail_on_errors(value::get(body, "failOnErrors"))?,
        })
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
        Self {
            place,
            method: text("method").unwrap_or_default().to_ascii_uppercase(),
            path: text("path").unwrap_or_default(),
            bulk_id: text("bulkId"),
            version: text("version"),
            data: value::get(operation, "data").cloned().unwrap_or(Value::Null),
        }
    }

    /// A bulkId that it refers to and that has no id yet.
    fn unresolved(&self, ids: &HashMap<String, String>) -> Option<String> {
        let path = self.path.rsplit('/').next().and_then(|part| part.strip_prefix(REFERENCE));
        let mut open = path.map(str::to_owned).into_iter().collect::<Vec<_>>();
        references(&self.data, &mut open);
        open.into_iter().find(|reference| !ids.contains_key(reference))
    }

    fn refuse(&self, ids: &HashMap<String, String>) -> Error {
        let reference = self.unresolved(ids).unwrap_or_default();
        Error::Unresolved(format!(
            "`bulkId:{reference}` refers to no operation of this request that created a resource."
        ))
    }

    async fn run(&self, client: &Client, ids: &HashMap<String, String>) -> Result<Answer, Error> {
        let mut headers = HeaderMap::new();
        if let Some(version) =
            self.version.as_deref().and_then(|text| HeaderValue::from_str(text).ok())
        {
            headers.insert(IF_MATCH, version);
        }
        let path = self.path.trim_matches('/');
        let (endpoint, id) = path.split_once('/').map_or((path, None), |(a, b)| (a, Some(b)));
        let id = id.map(|id| match id.strip_prefix(REFERENCE) {
            Some(reference) => ids.get(reference).cloned().unwrap_or_default(),
            None => id.to_owned(),
        });
        let of = RESOURCE_TYPES.iter().find(|of| of.endpoint.trim_matches('/') == endpoint);
        let (of, action) = match (of, self.method.as_str(), id) {
            // RFC 7644 3.7: "bulkId [...] REQUIRED when "method" is "POST"".
            (_, "POST", None) if self.bulk_id.is_none() => {
                return Err(Fault::new(ScimType::InvalidSyntax, "A POST needs a `bulkId`.").into());
            }
            (Some(of), "POST", None) => (of, Action::Create),
            (Some(of), "PUT", Some(id)) => (of, Action::Replace(id)),
            (Some(of), "PATCH", Some(id)) => (of, Action::Patch(id)),
            (Some(of), "DELETE", Some(id)) => (of, Action::Delete(id)),
            _ => return Err(self.impossible()),
        };
        let (body, projection) = (resolved(&self.data, ids), Projection::default());
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

fn references(data: &Value, found: &mut Vec<String>) {
    match data {
        Value::String(text) => {
            found.extend(text.strip_prefix(REFERENCE).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(entries) => entries.values().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// The data with ids in the place of references.
fn resolved(data: &Value, ids: &HashMap<String, String>) -> Value {
    match data {
        Value::String(text) => {
            let id = text.strip_prefix(REFERENCE).and_then(|reference| ids.get(reference));
            id.map_or_else(|| data.clone(), |id| json!(id))
        }
        Value::Array(items) => items.iter().map(|item| resolved(item, ids)).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| (name.clone(), resolved(value, ids)));
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}
