//! Where the libraries deviate from the protocols' specifications, it is put
//! right here, before a request reaches them and after an answer leaves them.

use std::future::Future;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{self, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use connectrpc_axum::context::ProtocolNegotiationError;
use connectrpc_axum::{Code, ConnectError};

use futures::StreamExt;
use http_body_util::{BodyStream, StreamBody};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::caller::refuse;
use super::methods::{self, Method};
use crate::auth::Access;

const DEADLINE_EXCEEDED: &str = "the deadline passed before the answer";

/// In any protocol: makes the request what the libraries should have, and finds the
/// method that it asks for, if there is such a one. Breaks with a refusal.
pub fn admit(request: &mut Request) -> ControlFlow<Response, Option<Method>> {
    strip_prefix(request);
    lower_content_type(request.headers_mut());
    if !is_spoken(content_type(request.headers())) {
        return Break(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
    }
    let Some(method) = methods::method(request.uri().path()) else {
        return Continue(None);
    };
    if let Some(refusal) = refuse_method(request.method(), method) {
        return Break(refusal);
    }
    // A stream in the place of one message.
    if !method.is_stream && content_type(request.headers()).starts_with("application/connect+") {
        return Break(ProtocolNegotiationError::UnsupportedMediaType.into_response());
    }
    // A deadline that has passed is not raced with the work.
    let timeout = request.headers().get("connect-timeout-ms").map(HeaderValue::as_bytes);
    if timeout.is_some_and(|ms| !ms.is_empty() && ms.iter().all(|digit| *digit == b'0')) {
        let error = ConnectError::new(Code::DeadlineExceeded, DEADLINE_EXCEEDED);
        return Break(refuse(request, error));
    }
    Continue(Some(method))
}

/// The SDKs' default base URL ends in `/api`.
fn strip_prefix(request: &mut Request) {
    let Some(rest) = request
        .uri()
        .path_and_query()
        .and_then(|path| path.as_str().strip_prefix("/api").filter(|rest| rest.starts_with('/')))
    else {
        return;
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = rest.parse::<PathAndQuery>().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// Media types are compared without regard to case (RFC 9110 8.3.1); the
/// libraries compare bytes.
fn lower_content_type(headers: &mut HeaderMap) {
    if let Some(value) = headers.get_mut(CONTENT_TYPE)
        && value.as_bytes().iter().any(u8::is_ascii_uppercase)
        && let Ok(lower) = HeaderValue::from_bytes(&value.as_bytes().to_ascii_lowercase())
    {
        *value = lower;
    }
}

/// gRPC with another codec than protobuf would reach tonic, which does not look
/// (gRPC over HTTP/2: "If Content-Type does not begin with "application/grpc",
/// gRPC servers SHOULD respond with HTTP status of 415").
fn is_spoken(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim_end();
    let Some(rest) = media_type.strip_prefix("application/grpc") else { return true };
    matches!(rest, "" | "+proto" | "-web" | "-web+proto" | "-web-text" | "-web-text+proto")
}

/// Connect knows GET and POST; axum lets HEAD through to the handler of GET,
/// which cannot read it.
fn refuse_method(method: &http::Method, of: Method) -> Option<Response> {
    let allowed: &[http::Method] = match of {
        Method { access: Access::Read, is_stream: false } => {
            &[http::Method::GET, http::Method::POST]
        }
        _ => &[http::Method::POST],
    };
    if allowed.contains(method) {
        return None;
    }
    let names = allowed.iter().map(http::Method::as_str).collect::<Vec<_>>().join(",");
    Some((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, names)]).into_response())
}

/// Errors of tonic's own, by status and the beginning of the message, and the
/// status that they should have: `OUT_OF_RANGE` for a message beyond the limit
/// is `RESOURCE_EXHAUSTED` in the gRPC specification, and a message that cannot
/// be read is the caller's fault, as it is in Connect.
const CORRECTED: [(&str, &str, &str); 6] = [
    ("11", "Error,%20decoded%20message%20length%20too%20large", "8"),
    ("13", "failed%20to%20decode%20Protobuf%20message", "3"),
    ("13", "Error%20decompressing", "3"),
    ("13", "protocol%20error:%20received%20message%20with", "3"),
    ("13", "Unexpected%20EOF%20decoding%20stream", "3"),
    ("13", "Missing%20request%20message", "12"),
];

/// Around tonic: `grpc-timeout` ends the work, and errors get the status that
/// the specification has for them.
///
/// A stream may never end by itself: it ends with its deadline. What is no
/// method of ours (`Health/Watch`, reflection) ends with the server, too; our
/// own streams see to that themselves, because they have a word to say.
pub async fn grpc<F>(
    closed: &CancellationToken,
    method: Option<Method>,
    request: Request,
    call: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Result<Response, Response>>,
{
    let (is_foreign, is_stream) = (method.is_none(), method.is_none_or(|method| method.is_stream));
    let asked = match request.headers().get("grpc-timeout").map(parse_timeout) {
        None => None,
        Some(Some(timeout)) => Some(timeout),
        Some(None) => {
            let error = ConnectError::new(Code::InvalidArgument, "malformed grpc-timeout");
            return refuse(&request, error);
        }
    };
    // A stream may go on as long as its caller wants; its beginning may not.
    let timeout = asked.map_or(super::MAX_DURATION, |asked| asked.min(super::MAX_DURATION));
    let end = if is_foreign { asked.map(|_| timeout) } else { asked };
    let end = end.map(|end| Instant::now() + end);
    let answer = async {
        if timeout.is_zero() {
            return None;
        }
        tokio::time::timeout(timeout, call(request)).await.ok()
    };
    let Some(answer) = answer.await else {
        let status = tonic::Status::deadline_exceeded(DEADLINE_EXCEEDED);
        return status.into_http::<tonic::body::Body>().map(axum::body::Body::new);
    };
    let mut response = answer.unwrap_or_else(|refusal| refusal);
    let headers = response.headers_mut();
    let status = CORRECTED.iter().find(|(status, message, _)| {
        headers.get("grpc-status").is_some_and(|found| found == status)
            && headers
                .get("grpc-message")
                .is_some_and(|found| found.as_bytes().starts_with(message.as_bytes()))
    });
    if let Some((_, _, corrected)) = status {
        headers.insert("grpc-status", HeaderValue::from_static(corrected));
    }
    // An answer that is all headers must stay so: clients look for its status
    // there.
    if !is_stream || response.body().is_end_stream() {
        return response;
    }
    let closed = closed.clone();
    response.map(|body| {
        let ended = async move {
            tokio::select! {
                () = closed.cancelled(), if is_foreign => {}
                () = sleep_until(end), if end.is_some() => {}
                else => std::future::pending().await,
            }
        };
        Body::new(StreamBody::new(BodyStream::new(body).take_until(Box::pin(ended))))
    })
}

async fn sleep_until(end: Option<Instant>) {
    if let Some(end) = end {
        tokio::time::sleep_until(end).await;
    }
}

/// `TimeoutValue TimeoutUnit` of the gRPC protocol: at most eight digits and a
/// unit of `H`, `M`, `S`, `m`, `u` or `n`.
fn parse_timeout(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(number)),
        "M" => Some(Duration::from_mins(number)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// For a path that is no method: the error that Connect clients expect, at the
/// HTTP status that they expect it at.
pub fn no_such_method(request: &Request) -> Response {
    let message = format!("there is no method {}", request.uri().path());
    let mut response = ConnectError::new(Code::Unimplemented, message).into_response();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_timeout_of_the_specification_is_read(number in 0_u64..100_000_000) {
            let parsed = parse_timeout(&format!("{number}m").parse().expect("a header"));
            prop_assert_eq!(parsed, Some(Duration::from_millis(number)));
        }

        #[test]
        fn no_other_text_is_taken_for_a_timeout(text in "[ -~]{0,12}") {
            let specified = regex::Regex::new("^[0-9]{1,8}[HMSmun]$").expect("a valid pattern");
            let parsed = parse_timeout(&text.parse().expect("a header"));
            prop_assert_eq!(parsed.is_some(), specified.is_match(&text));
        }
    }
}
