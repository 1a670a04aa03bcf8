//! Where a request comes in: it gets its id, goes to whom it is for, and is logged.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use futures::FutureExt;
use tower::Service;
use tracing::Instrument;

use super::unread_body;
use crate::clock::{Clock, Random};
use crate::model::RequestId;
use crate::scim::Endpoints;
use crate::service::{Answer, Protocols};
use crate::telemetry;

/// Whether the process lives.
pub const HEALTHZ: &str = "/healthz";
/// Whether to send requests here.
pub const READYZ: &str = "/readyz";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Both doors and the probes. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

/// What a [`Door`] is made of.
pub struct Inner {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where request ids come from.
    pub random: Arc<dyn Random>,
    /// [`HEALTHZ`] and [`READYZ`], which are not logged.
    pub probes: Router,
    /// Everything below `/scim`.
    pub scim: Endpoints,
    /// Everything else.
    pub protocols: Protocols,
}

impl Door {
    /// Puts it together.
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    fn answer(&self, request: Request) -> Answer {
        if matches!(request.uri().path(), HEALTHZ | READYZ) {
            return self.0.probes.clone().call(request).boxed();
        }
        let (request, unread) = unread_body::watched(request);
        let answer = self.observed(request);
        match unread {
            Some(unread) => async move { Ok(unread.drained(answer.await?).await) }.boxed(),
            None => answer.boxed(),
        }
    }

    /// Gives the request an id, which its answer carries and every line that is
    /// logged of it, and logs its outcome.
    fn observed(
        &self,
        mut request: Request,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        let id = RequestId::new(self.0.clock.now(), self.0.random.id_bytes());
        request.extensions_mut().insert(id);
        let header = HeaderValue::try_from(id.to_string());
        let header = header.expect("a UUID is a valid header value");
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let span = tracing::debug_span!("request", %id);
        let begun = tokio::time::Instant::now();
        let answer = span.in_scope(|| self.passed_on(request));
        let answer = async move {
            let mut response = answer.await?;
            if method == Method::HEAD {
                response = without_body(response);
            }
            response.headers_mut().insert(REQUEST_ID, header);
            let (path, status) = (uri.path(), response.status().as_u16());
            let grpc_status = response.headers().get("grpc-status");
            let grpc_status = grpc_status.and_then(|code| code.to_str().ok());
            let elapsed_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            tracing::info!(%id, %method, path, status, grpc_status, elapsed_us, "answered");
            Ok(response)
        };
        telemetry::working_for(id, answer).instrument(span)
    }

    fn passed_on(&self, request: Request) -> Answer {
        let is_scim = request
            .uri()
            .path()
            .strip_prefix("/scim")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_scim {
            self.0.scim.clone().answer(request).boxed()
        } else {
            self.0.protocols.clone().answer(request)
        }
    }
}

/// An answer to HEAD, which tells what a GET would answer with and has no body (RFC 9110
/// 9.3.2): hyper sees to that on HTTP/1 only.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    Response::from_parts(parts, Body::empty())
}

impl Service<Request> for Door {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.answer(request)
    }
}
