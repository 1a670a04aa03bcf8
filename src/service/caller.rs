//! The layer that finds out who calls, before anything of the request is read.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::Response;
use connectrpc_axum::{ConnectError, ContextError, detect_protocol};

use super::error::Error;
use super::methods;
use crate::auth::{Authenticator, Caller};
use crate::model::RequestId;

/// In the extensions of a request: a caller whose credential is valid and whose
/// role allows the method.
#[derive(Clone, Copy, Debug)]
pub struct Authenticated(pub Caller);

/// Lets only such callers through to a method. What is no method of ours passes:
/// health and reflection are for everybody, and the rest does not exist.
pub async fn authenticate(
    State(authenticator): State<Authenticator>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(access) = methods::access(request.uri().path()) else {
        return next.run(request).await;
    };
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let id = *request.extensions().get::<RequestId>().expect("the server gives each request an id");
    let caller = authenticator.caller(header, id).await;
    match caller.and_then(|caller| caller.require(access).map(|()| caller)) {
        Ok(caller) => {
            request.extensions_mut().insert(Authenticated(caller));
            next.run(request).await
        }
        Err(error) => refuse(&request, Error::from(error).into()),
    }
}

/// An error in the protocol of the request.
pub fn refuse(request: &Request, error: ConnectError) -> Response {
    if is_grpc(request) {
        tonic::Status::from(error).into_http::<tonic::body::Body>().map(axum::body::Body::new)
    } else {
        ContextError::new(detect_protocol(request), error, None).into_response()
    }
}

/// Whether the request is one of gRPC, or of gRPC-Web translated to it.
pub fn is_grpc(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
