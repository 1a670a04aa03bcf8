//! What a request came to.

use super::SCIM_JSON;
use crate::scim::protocol::value::Object;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// A success, as HTTP and bulk both tell it.
#[derive(Debug)]
pub struct Answer {
    /// 200, 201, 204 or 304.
    pub status: StatusCode,
    /// What to show, as JSON; nothing with 204 and 304.
    pub body: Option<Vec<u8>>,
    /// Where the resource is.
    pub location: Option<String>,
    /// Which version of it this is.
    pub etag: Option<String>,
}

impl Answer {
    /// 200 with a body that is no resource.
    pub fn of(body: Object) -> Self {
        Self::written(Value::Object(body).to_string().into_bytes())
    }

    /// The same of a body that is written already.
    pub fn written(json: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body: Some(json), location: None, etag: None }
    }

    /// 204.
    pub fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, location: None, etag: None }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let header = |name: HeaderName, value: Option<String>| value.map(|value| (name, value));
        // RFC 7644 3.1: a created resource is named in `Location`.
        let location = self.location.filter(|_| self.status == StatusCode::CREATED);
        let headers: Vec<_> =
            [header(LOCATION, location), header(ETAG, self.etag)].into_iter().flatten().collect();
        let mut response = match self.body {
            Some(body) => (self.status, [(CONTENT_TYPE, SCIM_JSON)], body).into_response(),
            None => self.status.into_response(),
        };
        for (name, value) in headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
