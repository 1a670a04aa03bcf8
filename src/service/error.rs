//! How a refusal reads at the control plane: the only place where an RPC code,
//! a reason or a detail is chosen.

use std::collections::HashMap;
use std::time::Duration;

use connectrpc_axum::{Code, ConnectError};
use prost::Message;
use tonic_types::{BadRequest, ErrorInfo, FieldViolation, RetryInfo, pb};

use super::rules::Violation;
use crate::auth;
use crate::model::{
    AccountId, ConfigurationId, GroupId, UserId, WebhookEndpointId, WebhookSecretId,
};
use crate::proto::scimd::v1::ErrorReason;
use crate::repository;
use crate::telemetry;

/// How many fields an error names. gRPC has errors in headers, of which clients
/// take 8 KiB or so.
const MAX_VIOLATIONS: usize = 20;
/// How many of them its message names.
const MAX_SUMMED: usize = 5;
/// The `domain` of every `google.rpc.ErrorInfo` that we send.
const DOMAIN: &str = "scimd";
/// How soon a caller may try again when the database was busy.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why a method did not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// The credential does not allow it.
    Auth(auth::Error),
    /// These fields are not as they must be.
    Invalid(Vec<Violation>),
    /// There is no such configuration within the caller's scope.
    ConfigurationNotFound(ConfigurationId),
    /// The configuration has no such user.
    UserNotFound(UserId),
    /// The configuration has no such group.
    GroupNotFound(GroupId),
    /// The organization has no such account.
    AccountNotFound(AccountId),
    /// These items cannot be imported.
    AccountConflict(Vec<Violation>),
    /// The oldest event that is kept has this number.
    EventsExpired(u64),
    /// The newest event there is has this number.
    EventNumberUnknown(u64),
    /// The server takes no more requests.
    Stopping,
    /// Others take their snapshots.
    SnapshotsBusy,
    /// Nobody has taken the next part of a snapshot for long.
    ReaderTooSlow,
    /// There is no such webhook endpoint within the caller's scope.
    WebhookEndpointNotFound(WebhookEndpointId),
    /// The webhook endpoint has no such secret.
    WebhookSecretNotFound(WebhookSecretId),
    /// There is no key to keep secrets of webhooks with.
    WebhooksNotConfigured,
    /// The organization has so many webhook endpoints, and may have no more.
    WebhookEndpointsExhausted(u64),
    /// The webhook endpoint has so many secrets, and may have no more.
    WebhookSecretsExhausted(usize),
    /// The webhook endpoint would be left without a secret that lasts.
    WebhookSecretRequired,
    /// The store failed.
    Repository(repository::Error),
}

impl From<auth::Error> for Error {
    fn from(error: auth::Error) -> Self {
        match error {
            auth::Error::Repository(error) => Self::Repository(error),
            error => Self::Auth(error),
        }
    }
}

impl From<repository::Error> for Error {
    fn from(error: repository::Error) -> Self {
        Self::Repository(error)
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Invalid(vec![violation])
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        ConnectError::from(error).into()
    }
}

/// Connect's own form; tonic's is made from it, so that the two say the same.
impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        match error {
            Error::Auth(error) => refused_credential(&error),
            Error::Invalid(violations) => {
                refused_fields(Code::InvalidArgument, ErrorReason::ArgumentInvalid, violations)
            }
            Error::ConfigurationNotFound(id) => reject(
                Code::NotFound,
                ErrorReason::ScimConfigurationNotFound,
                format!("there is no SCIM configuration {id}"),
            ),
            Error::UserNotFound(id) => {
                reject(Code::NotFound, ErrorReason::UserNotFound, format!("there is no user {id}"))
            }
            Error::GroupNotFound(id) => reject(
                Code::NotFound,
                ErrorReason::GroupNotFound,
                format!("there is no group {id}"),
            ),
            Error::AccountNotFound(id) => reject(
                Code::NotFound,
                ErrorReason::AccountNotFound,
                format!("there is no account {id}"),
            ),
            Error::AccountConflict(violations) => {
                refused_fields(Code::AlreadyExists, ErrorReason::AccountConflict, violations)
            }
            Error::EventsExpired(oldest) => reject(
                Code::OutOfRange,
                ErrorReason::EventsExpired,
                format!("the oldest event that is kept is {oldest}; begin with a snapshot"),
            ),
            Error::EventNumberUnknown(newest) => reject(
                Code::OutOfRange,
                ErrorReason::EventNumberUnknown,
                format!("the newest event is {newest}; begin with a snapshot"),
            ),
            Error::Stopping => reject(
                Code::Unavailable,
                ErrorReason::ServerStopping,
                "the server stops; call again and resume behind the last number".to_owned(),
            ),
            Error::SnapshotsBusy => {
                busy("others take their snapshots and nothing was changed; try again".to_owned())
            }
            Error::ReaderTooSlow => reject(
                Code::Aborted,
                ErrorReason::SnapshotAbandoned,
                "the next part was not taken in time; begin anew and read as it comes".to_owned(),
            ),
            Error::WebhookEndpointNotFound(id) => reject(
                Code::NotFound,
                ErrorReason::WebhookEndpointNotFound,
                format!("there is no webhook endpoint {id}"),
            ),
            Error::WebhookSecretNotFound(id) => reject(
                Code::NotFound,
                ErrorReason::WebhookSecretNotFound,
                format!("there is no secret {id} of this webhook endpoint"),
            ),
            Error::WebhooksNotConfigured
            | Error::WebhookEndpointsExhausted(_)
            | Error::WebhookSecretsExhausted(_)
            | Error::WebhookSecretRequired => refused_webhook(&error),
            Error::Repository(error) => failed_store(&error),
        }
    }
}

/// What cannot be done with webhooks as things are.
fn refused_webhook(error: &Error) -> ConnectError {
    match error {
        Error::WebhookEndpointsExhausted(most) => reject(
            Code::ResourceExhausted,
            ErrorReason::WebhookEndpointsExhausted,
            format!("an organization has at most {most} webhook endpoints; delete one"),
        ),
        Error::WebhookSecretsExhausted(most) => reject(
            Code::ResourceExhausted,
            ErrorReason::WebhookSecretsExhausted,
            format!("a webhook endpoint has at most {most} secrets; remove one"),
        ),
        Error::WebhookSecretRequired => reject(
            Code::FailedPrecondition,
            ErrorReason::WebhookSecretRequired,
            "the webhook endpoint has no other secret that does not end; add one first".to_owned(),
        ),
        _ => reject(
            Code::FailedPrecondition,
            ErrorReason::WebhooksNotConfigured,
            "webhooks need SCIMD_WEBHOOK_SECRET_KEY to be set by the operator".to_owned(),
        ),
    }
}

fn refused_credential(error: &auth::Error) -> ConnectError {
    let (code, reason, message) = match error {
        auth::Error::Missing => (
            Code::Unauthenticated,
            ErrorReason::CredentialMissing,
            "send an API key in the header `authorization: Bearer <key>`".to_owned(),
        ),
        // Nobody calls the control plane with a SCIM token that is its own, so
        // a disabled configuration is no more than a credential that is not ours.
        auth::Error::Unknown | auth::Error::Disabled => (
            Code::Unauthenticated,
            ErrorReason::CredentialInvalid,
            "the API key is not known here; check that it was copied whole".to_owned(),
        ),
        auth::Error::Expired(at) => (
            Code::Unauthenticated,
            ErrorReason::CredentialExpired,
            format!("the API key expired at {at}; ask for a new one"),
        ),
        auth::Error::Revoked => (
            Code::Unauthenticated,
            ErrorReason::CredentialRevoked,
            "the API key was revoked; ask for a new one".to_owned(),
        ),
        auth::Error::RoleInsufficient => (
            Code::PermissionDenied,
            ErrorReason::RoleInsufficient,
            "the API key's role `viewer` only reads; use a key with the role `admin`".to_owned(),
        ),
        auth::Error::OrganizationForbidden => (
            Code::PermissionDenied,
            ErrorReason::OrganizationForbidden,
            "the API key belongs to another organization than the one named".to_owned(),
        ),
        auth::Error::Repository(error) => return failed_store(error),
    };
    let refusal = reject(code, reason, message);
    // RFC 9110 15.5.2: a 401 names the scheme that would be taken.
    if code == Code::Unauthenticated {
        refusal.with_meta("www-authenticate", "Bearer")
    } else {
        refusal
    }
}

fn refused_fields(code: Code, reason: ErrorReason, violations: Vec<Violation>) -> ConnectError {
    let mut summary: Vec<_> = violations
        .iter()
        .take(MAX_SUMMED)
        .map(|each| format!("{} {}", each.field, each.description))
        .collect();
    if let Some(more @ 1..) = violations.len().checked_sub(MAX_SUMMED) {
        summary.push(format!("and {more} more"));
    }
    let field_violations = violations
        .into_iter()
        .take(MAX_VIOLATIONS)
        .map(|each| FieldViolation::new(each.field, each.description))
        .collect::<Vec<_>>();
    let bad_request = pb::BadRequest::from(BadRequest::new(field_violations));
    detailed(reject(code, reason, summary.join("; ")), "BadRequest", &bad_request)
}

fn busy(message: String) -> ConnectError {
    let retry = pb::RetryInfo::from(RetryInfo::new(Some(RETRY_DELAY)));
    detailed(reject(Code::Unavailable, ErrorReason::DatabaseBusy, message), "RetryInfo", &retry)
}

fn failed_store(error: &repository::Error) -> ConnectError {
    match error {
        repository::Error::Busy(_) | repository::Error::Deadlock(_) => {
            tracing::warn!(
                id = telemetry::request(),
                error = error.chain(),
                "the database is busy"
            );
            busy("the database is busy and nothing was changed; try again".to_owned())
        }
        // Only said to identity providers, at the other door.
        repository::Error::ConfigurationGone
        | repository::Error::Corrupt(_)
        | repository::Error::SchemaBehind
        | repository::Error::Database(_) => {
            tracing::error!(id = telemetry::request(), error = error.chain(), "the store failed");
            reject(
                Code::Internal,
                ErrorReason::Internal,
                "internal error; report the x-request-id of this answer to the operator".to_owned(),
            )
        }
    }
}

fn reject(code: Code, reason: ErrorReason, message: String) -> ConnectError {
    let name = reason.as_str_name();
    let name = name.strip_prefix("ERROR_REASON_").unwrap_or(name);
    let info = ErrorInfo::new(name, DOMAIN, HashMap::<String, String>::new());
    detailed(ConnectError::new(code, message), "ErrorInfo", &pb::ErrorInfo::from(info))
}

fn detailed(error: ConnectError, name: &str, detail: &impl Message) -> ConnectError {
    error.add_detail(format!("google.rpc.{name}"), detail.encode_to_vec())
}
