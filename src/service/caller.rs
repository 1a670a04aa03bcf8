//! Who calls. Of strangers' requests nothing is read.

use std::future::Future;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::Response;
use connectrpc_axum::{ConnectError, ContextError, RequestProtocol, detect_protocol};

use super::error::Error;
use super::methods::Method;
use crate::auth::{Authenticator, Caller};
use crate::model::RequestId;

/// In the extensions of a request: a caller whose credential is valid and whose
/// role allows the method.
#[derive(Clone, Copy, Debug)]
pub struct Authenticated(pub Caller);

/// Does `work` for such callers only.
pub async fn authenticated<F: Future>(
    authenticator: &Authenticator,
    method: Method,
    mut request: Request,
    work: impl FnOnce(Request) -> F,
) -> Result<F::Output, Response> {
    let header = request.headers().get(AUTHORIZATION).cloned();
    let header = header.as_ref().and_then(|value| value.to_str().ok());
    let id = *request.extensions().get::<RequestId>().expect("the server gives each request an id");
    let protocol = Protocol::of(&request);
    let work = |caller| {
        request.extensions_mut().insert(Authenticated(caller));
        work(request)
    };
    let outcome = authenticator.caller(header, id, method.access, work).await;
    outcome.map_err(|error| protocol.refuse(Error::from(error).into()))
}

/// An error in the protocol of the request.
pub fn refuse(request: &Request, error: ConnectError) -> Response {
    Protocol::of(request).refuse(error)
}

/// What a request speaks.
#[derive(Clone, Copy)]
enum Protocol {
    Grpc,
    Connect(RequestProtocol),
}

impl Protocol {
    fn of(request: &Request) -> Self {
        if is_grpc(request) { Self::Grpc } else { Self::Connect(detect_protocol(request)) }
    }

    fn refuse(self, error: ConnectError) -> Response {
        match self {
            Self::Grpc => {
                tonic::Status::from(error).into_http::<tonic::body::Body>().map(Body::new)
            }
            Self::Connect(protocol) => ContextError::new(protocol, error, None).into_response(),
        }
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
