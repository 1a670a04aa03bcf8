//! Compression of unary Connect messages, which is that of HTTP.
//!
//! Requests and responses that are not compressed pass untouched. What is
//! decompressed is limited while it is, so that a small body cannot become a
//! large one.

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, VARY,
};
use axum::response::Response;
use connectrpc_axum::message::{compress_bytes, decompress_bytes, read_body};
use connectrpc_axum::{
    Code, CompressionConfig, CompressionEncoding, ConnectError, negotiate_response_encoding,
};

use super::MAX_MESSAGE_BYTES;
use super::caller::refuse;

/// Below this size a response gains nothing by compression.
const MIN_COMPRESSED_BYTES: usize = 1024;
/// In the order of the Connect specification.
const SUPPORTED: &str = "gzip, br, zstd, deflate";

/// How the request asks that the response be compressed.
pub fn wanted(request: &Request) -> CompressionEncoding {
    negotiate_response_encoding(text(request.headers(), &ACCEPT_ENCODING))
}

/// The request with its body decompressed, as its headers say.
pub async fn decompressed(request: Request) -> Result<Request, Response> {
    let Some(name) = text(request.headers(), &CONTENT_ENCODING) else { return Ok(request) };
    let Some(encoding) = CompressionEncoding::from_header(Some(name)) else {
        let message = format!("unknown compression {name:?}: supported are {SUPPORTED}");
        let mut refusal = refuse(&request, ConnectError::new(Code::Unimplemented, message));
        refusal.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(SUPPORTED));
        return Err(refusal);
    };
    let (parts, body) = request.into_parts();
    let bytes = match read_body(body, MAX_MESSAGE_BYTES).await {
        Ok(bytes) => decompress_bytes(bytes, encoding, MAX_MESSAGE_BYTES),
        Err(error) => Err(error),
    };
    let mut request = Request::from_parts(parts, Body::empty());
    match bytes {
        Ok(bytes) => {
            request.headers_mut().remove(CONTENT_ENCODING);
            request.headers_mut().remove(CONTENT_LENGTH);
            *request.body_mut() = bytes.into();
            Ok(request)
        }
        Err(error) => Err(refuse(&request, error)),
    }
}

/// The response with its body compressed, if that is wanted and makes it smaller.
pub async fn compressed(response: Response, encoding: CompressionEncoding) -> Response {
    let size = response.body().size_hint().lower();
    if encoding.is_identity() || size < MIN_COMPRESSED_BYTES as u64 {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let compressed = match read_body(body, usize::MAX).await {
        Ok(bytes) => compress_bytes(bytes, encoding, &CompressionConfig::default()),
        Err(error) => Err(error),
    };
    match compressed {
        Ok((bytes, _)) => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
            parts.headers.append(VARY, HeaderValue::from_static("accept-encoding"));
            Response::from_parts(parts, bytes.into())
        }
        Err(error) => axum::response::IntoResponse::into_response(error),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
