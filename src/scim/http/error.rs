//! How a refusal reads to an identity provider: the only place where a SCIM
//! status is chosen (RFC 7644 3.12).

use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::SCIM_JSON;
use crate::auth;
use crate::repository;

/// Why a SCIM request was refused.
#[derive(Debug)]
pub enum Error {
    /// The credential does not open this configuration.
    Auth(auth::Error),
    /// Nothing answers at this path.
    NoSuchEndpoint,
    /// Something does, but not to this method.
    MethodNotAllowed,
}

impl From<auth::Error> for Error {
    fn from(error: auth::Error) -> Self {
        Self::Auth(error)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, detail) = match &self {
            Self::Auth(error) => refused_credential(error),
            Self::NoSuchEndpoint => (
                StatusCode::NOT_FOUND,
                "There is no such endpoint. The base URL is \
                 {server}/scim/v2/{SCIM configuration id}."
                    .to_owned(),
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "This endpoint does not support the HTTP method.".to_owned(),
            ),
        };
        // The status is a text in the body (RFC 7644 3.12).
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": status.as_str(),
            "detail": detail,
        });
        let mut response = (status, [(CONTENT_TYPE, SCIM_JSON)], body.to_string()).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn refused_credential(error: &auth::Error) -> (StatusCode, String) {
    match error {
        auth::Error::Missing => (
            StatusCode::UNAUTHORIZED,
            "Send the SCIM token in the header `Authorization: Bearer <token>`.".to_owned(),
        ),
        auth::Error::Unknown => (
            StatusCode::UNAUTHORIZED,
            "The token does not open this SCIM configuration. Check base URL and token, \
             or regenerate the token."
                .to_owned(),
        ),
        auth::Error::Expired(at) => (
            StatusCode::UNAUTHORIZED,
            format!("The token expired at {at}. Regenerate it and enter the new one."),
        ),
        auth::Error::Disabled => (
            StatusCode::FORBIDDEN,
            "This SCIM configuration is disabled. Enable it to go on.".to_owned(),
        ),
        // Said of API keys only.
        auth::Error::Revoked
        | auth::Error::RoleInsufficient
        | auth::Error::OrganizationForbidden => {
            (StatusCode::FORBIDDEN, "The credential does not allow this.".to_owned())
        }
        auth::Error::Repository(error) => failed_store(error),
    }
}

fn failed_store(error: &repository::Error) -> (StatusCode, String) {
    match error {
        repository::Error::Busy(_) => {
            tracing::warn!(error = error.chain(), "the database is busy");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is busy and nothing was changed. Try again.".to_owned(),
            )
        }
        repository::Error::Corrupt(_)
        | repository::Error::SchemaBehind
        | repository::Error::Database(_) => {
            tracing::error!(error = error.chain(), "the store failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal error. Report the X-Request-Id of this answer to the operator."
                    .to_owned(),
            )
        }
    }
}
