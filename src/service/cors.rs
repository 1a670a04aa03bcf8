//! What browsers are told of other sites' pages (the Fetch standard, 3.3).

use std::time::Duration;

use axum::extract::Request;
use axum::http::Method;
use axum::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN,
};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Whether a browser asks, for a page or before it lets one ask. Nobody else looks
/// at what it would be told.
pub fn is_asked_by_browser(request: &Request) -> bool {
    request.headers().contains_key(ORIGIN) || request.method() == Method::OPTIONS
}

/// Which pages may call, and with what. A credential travels in a header that a page
/// must set itself, never in a cookie, so that any page may be let in.
pub fn layer(allowed_origins: Vec<HeaderValue>) -> CorsLayer {
    let origins = if allowed_origins.is_empty() {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(allowed_origins)
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            CONTENT_ENCODING,
            ACCEPT_ENCODING,
            HeaderName::from_static("connect-protocol-version"),
            HeaderName::from_static("connect-timeout-ms"),
            HeaderName::from_static("grpc-timeout"),
            HeaderName::from_static("x-grpc-web"),
            HeaderName::from_static("x-user-agent"),
        ])
        .expose_headers([
            HeaderName::from_static("grpc-status"),
            HeaderName::from_static("grpc-message"),
            HeaderName::from_static("grpc-status-details-bin"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_hours(2))
}
