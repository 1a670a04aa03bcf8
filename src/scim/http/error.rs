//! How a refusal reads to an identity provider: the only place where a SCIM
//! status is chosen (RFC 7644 3.12).

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::SCIM_JSON;
use crate::auth;
use crate::model::{LinkReason, LinkRefusal};
use crate::repository;
use crate::scim::protocol::fault::{Fault, ScimType};
use crate::telemetry;

/// How soon a client may try again, in whole seconds: Okta takes no date. Within
/// one, a rate limit has room for requests again.
const RETRY_DELAY: HeaderValue = HeaderValue::from_static("1");

/// Why a SCIM request was refused.
#[derive(Debug)]
pub enum Error {
    /// The credential does not open this configuration.
    Auth(auth::Error),
    /// The configuration has made so many requests a second, which is its limit.
    TooManyRequests(u32),
    /// The request is not as it must be.
    Fault(Fault),
    /// Another user has the `userName`.
    UserNameTaken(String),
    /// Another group has the `displayName`.
    GroupNameTaken(String),
    /// The account with the user's email must not become the user's.
    LinkRefused(LinkRefusal),
    /// There is no such resource.
    NotFound(&'static str, String),
    /// The resource is not of the version that the client knows.
    PreconditionFailed,
    /// Nothing answers at this path.
    NoSuchEndpoint,
    /// Something does, but not to this method.
    MethodNotAllowed,
    /// Something might, and does not.
    NotImplemented,
    /// Discovery takes no filter.
    FilterForbidden,
    /// The body is of no media type that is read here.
    UnsupportedMediaType,
    /// The body is compressed.
    UnsupportedEncoding,
    /// The body is larger than what is read.
    BodyTooLarge,
    /// A bulk request holds more operations than are done.
    TooManyOperations(usize),
    /// The cursor is none of ours.
    InvalidCursor,
    /// What stands in the way of a bulk operation.
    Unresolved(String),
    /// The store failed.
    Repository(repository::Error),
}

impl repository::Retriable for Error {
    fn is_deadlock(&self) -> bool {
        matches!(self, Self::Repository(error) if repository::Retriable::is_deadlock(error))
    }
}

impl From<auth::Error> for Error {
    fn from(error: auth::Error) -> Self {
        Self::Auth(error)
    }
}

impl From<repository::Error> for Error {
    fn from(error: repository::Error) -> Self {
        Self::Repository(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What is told of an error.
struct Told {
    status: StatusCode,
    scim_type: Option<&'static str>,
    detail: String,
}

impl Told {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    fn typed(status: StatusCode, scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self { status, scim_type: Some(scim_type), detail: detail.into() }
    }
}

impl Error {
    /// The status and the body of RFC 7644 3.12.
    pub fn tell(&self) -> (StatusCode, Value) {
        let Told { status, scim_type, detail } = self.told();
        // The status is a text in the body.
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": status.as_str(),
            "detail": detail,
        });
        if let Some(scim_type) = scim_type {
            body["scimType"] = scim_type.into();
        }
        (status, body)
    }

    fn told(&self) -> Told {
        match self {
            Self::Auth(error) => refused_credential(error),
            Self::TooManyRequests(limit) => Told::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "This configuration is limited to {limit} requests a second. \
                     Go on when the time in Retry-After is over."
                ),
            ),
            Self::Fault(fault) => {
                Told::typed(StatusCode::BAD_REQUEST, fault.scim_type.as_str(), &fault.detail)
            }
            Self::UserNameTaken(user_name) => Told::typed(
                StatusCode::CONFLICT,
                ScimType::Uniqueness.as_str(),
                format!("Another user has the userName {user_name:?}."),
            ),
            Self::GroupNameTaken(display_name) => Told::typed(
                StatusCode::CONFLICT,
                ScimType::Uniqueness.as_str(),
                format!("Another group has the displayName {display_name:?}."),
            ),
            Self::LinkRefused(refusal) => refused_link(refusal),
            Self::NotFound(kind, id) => {
                Told::new(StatusCode::NOT_FOUND, format!("There is no {kind} {id}."))
            }
            Self::PreconditionFailed => Told::new(
                StatusCode::PRECONDITION_FAILED,
                "The resource has changed since. Read it again.",
            ),
            Self::NoSuchEndpoint => Told::new(
                StatusCode::NOT_FOUND,
                "There is no such endpoint. The base URL is \
                 {server}/scim/v2/{SCIM configuration id}.",
            ),
            Self::MethodNotAllowed => Told::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "This endpoint does not support the HTTP method.",
            ),
            Self::NotImplemented => Told::new(
                StatusCode::NOT_IMPLEMENTED,
                "A token stands for an identity provider, not for a user: there is no /Me.",
            ),
            Self::FilterForbidden => {
                Told::new(StatusCode::FORBIDDEN, "This endpoint takes no filter.")
            }
            Self::UnsupportedMediaType => Told::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the body as application/scim+json or application/json.",
            ),
            Self::UnsupportedEncoding => Told::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the body as it is, without a Content-Encoding.",
            ),
            Self::BodyTooLarge => {
                Told::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 1 MB.")
            }
            Self::TooManyOperations(most) => Told::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The request holds more than {most} operations."),
            ),
            Self::InvalidCursor => Told::typed(
                StatusCode::BAD_REQUEST,
                "invalidCursor",
                "The cursor is not the nextCursor of an earlier answer. Begin again without it.",
            ),
            Self::Unresolved(detail) => {
                Told::typed(StatusCode::CONFLICT, ScimType::InvalidValue.as_str(), detail)
            }
            Self::Repository(error) => failed_store(error),
        }
    }

    /// A resource that does not exist; so is one whose id is none.
    #[expect(clippy::needless_pass_by_value, reason = "ids and texts alike are cheap to hand over")]
    pub fn not_found(kind: &'static str, id: impl ToString) -> Self {
        Self::NotFound(kind, id.to_string())
    }

    /// Ids that belong to no resource of this configuration.
    pub fn no_such_members(ids: &[Uuid]) -> Self {
        let ids: Vec<_> = ids.iter().map(Uuid::to_string).collect();
        Self::Fault(Fault::value(format!(
            "`members` names what is neither a user nor a group here: {}.",
            ids.join(", ")
        )))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, body) = self.tell();
        let mut response = (status, [(CONTENT_TYPE, SCIM_JSON)], body.to_string()).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, RETRY_DELAY);
            }
            _ => {}
        }
        response
    }
}

fn refused_credential(error: &auth::Error) -> Told {
    match error {
        auth::Error::Missing => Told::new(
            StatusCode::UNAUTHORIZED,
            "Send the SCIM token in the header `Authorization: Bearer <token>`.",
        ),
        auth::Error::Unknown => Told::new(
            StatusCode::UNAUTHORIZED,
            "The token does not open this SCIM configuration. Check base URL and token, \
             or regenerate the token.",
        ),
        auth::Error::Expired(at) => Told::new(
            StatusCode::UNAUTHORIZED,
            format!("The token expired at {at}. Regenerate it and enter the new one."),
        ),
        auth::Error::Disabled => Told::new(
            StatusCode::FORBIDDEN,
            "This SCIM configuration is disabled. Enable it to go on.",
        ),
        // Said of API keys only.
        auth::Error::Revoked
        | auth::Error::RoleInsufficient
        | auth::Error::OrganizationForbidden => {
            Told::new(StatusCode::FORBIDDEN, "The credential does not allow this.")
        }
        auth::Error::Repository(error) => failed_store(error),
    }
}

fn refused_link(refusal: &LinkRefusal) -> Told {
    let email = &refusal.email;
    let why = if refusal.reason == LinkReason::AccountEmailUnverified {
        "the application has not verified it"
    } else {
        "the identity provider does not mark it as verified (`verified`: true)"
    };
    Told::typed(
        StatusCode::CONFLICT,
        ScimType::Uniqueness.as_str(),
        format!(
            "There is an account with the email {email:?}, and {why}. To link the user all the \
             same, set allow_unverified_email_account_linking of this SCIM configuration."
        ),
    )
}

fn failed_store(error: &repository::Error) -> Told {
    match error {
        repository::Error::Busy(_) | repository::Error::Deadlock(_) => {
            tracing::warn!(
                id = telemetry::request(),
                error = error.chain(),
                "the database is busy"
            );
            Told::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is busy and nothing was changed. Try again.",
            )
        }
        repository::Error::ConfigurationGone => refused_credential(&auth::Error::Unknown),
        repository::Error::Corrupt(_)
        | repository::Error::SchemaBehind
        | repository::Error::Database(_) => {
            tracing::error!(id = telemetry::request(), error = error.chain(), "the store failed");
            Told::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal error. Report the X-Request-Id of this answer to the operator.",
            )
        }
    }
}
