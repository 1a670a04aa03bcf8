//! Who calls, which is found out before anything of the request is read.

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::Response;
use connectrpc_axum::{ConnectError, ContextError, detect_protocol};

use super::error::Error;
use super::methods::Method;
use crate::auth::{Authenticator, Caller};
use crate::model::RequestId;

/// In the extensions of a request: a caller whose credential is valid and whose
/// role allows the method.
#[derive(Clone, Copy, Debug)]
pub struct Authenticated(pub Caller);

/// Lets only such callers through to `method`.
pub async fn authenticated(
    authenticator: &Authenticator,
    method: Method,
    mut request: Request,
) -> Result<Request, Response> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let id = *request.extensions().get::<RequestId>().expect("the server gives each request an id");
    let caller = authenticator.caller(header, id).await;
    match caller.and_then(|caller| caller.require(method.access).map(|()| caller)) {
        Ok(caller) => {
            request.extensions_mut().insert(Authenticated(caller));
            Ok(request)
        }
        Err(error) => Err(refuse(&request, Error::from(error).into())),
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

/// Whether the request is one of gRPC, or of gRPC-Web, translated to it or not.
pub fn is_grpc(request: &Request) -> bool {
    has_media_type(request, b"application/grpc")
}

/// Whether the request is one of gRPC-Web, which is not translated yet.
pub fn is_grpc_web(request: &Request) -> bool {
    has_media_type(request, b"application/grpc-web")
}

fn has_media_type(request: &Request, beginning: &[u8]) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(beginning))
}
