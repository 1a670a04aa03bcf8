//! Streams of services that exist only for gRPC, in Connect's own protocol.
//!
//! Reflection comes from tonic and so speaks gRPC; `buf curl` asks for it in
//! the protocol that it is told to use. Both protocols put the same five bytes
//! before each message, so that only headers and the end differ: gRPC has
//! trailers, Connect a last frame with JSON.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Response as HttpResponse, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use connectrpc_axum::message::build_end_stream_frame;
use connectrpc_axum::{CONNECT_CONTENT_ENCODING, ConnectError};
use futures::StreamExt;
use http_body_util::BodyStream;

const CONNECT: HeaderValue = HeaderValue::from_static("application/connect+proto");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc+proto");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Whether the request is a Connect stream of binary messages to such a service.
pub fn is_wanted(request: &Request) -> bool {
    request.uri().path().starts_with("/grpc.reflection.")
        && request.headers().get(CONTENT_TYPE) == Some(&CONNECT)
}

/// The same request in gRPC.
pub fn forth(mut request: Request) -> Request {
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    if let Some(encoding) = headers.remove(CONNECT_CONTENT_ENCODING) {
        headers.insert(GRPC_ENCODING, encoding);
    }
    request
}

/// The same answer in Connect.
pub fn back(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    // An error before the first message has its trailers in the headers.
    let body = if parts.headers.contains_key("grpc-status") {
        Body::from(end(&parts.headers))
    } else {
        Body::from_stream(BodyStream::new(body).map(|frame| {
            frame.map(|frame| match frame.into_data() {
                Ok(data) => data,
                Err(frame) => end(&frame.into_trailers().unwrap_or_default()),
            })
        }))
    };
    let mut response = HttpResponse::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, CONNECT);
    response
}

/// The last frame of a stream that ended with these trailers.
fn end(trailers: &HeaderMap) -> Bytes {
    let status = tonic::Status::from_header_map(trailers);
    let error = status.filter(|status| status.code() != tonic::Code::Ok).map(ConnectError::from);
    build_end_stream_frame(error.as_ref(), None).into()
}
