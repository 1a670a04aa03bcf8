//! The way of a request to its method, in all protocols on one port.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::ops::ControlFlow::{Break, Continue};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Version;
use axum::response::Response;
use connectrpc_axum::{ConnectLayer, MessageLimits};
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;

use super::methods::Method;
use super::{MAX_DURATION, MAX_MESSAGE_BYTES, bridge, caller, compression, cors, edge};
use crate::auth::Authenticator;

/// The services, and what is done around them. Cheap to clone.
///
/// Each step is a function of the request rather than a layer of its own: a layer
/// costs allocations and copies of the request, in each request, also where it
/// has nothing to do. What need not wait is no `async fn`, for a future is copied
/// into the one that waits for it, with the request inside.
#[derive(Clone)]
pub struct Protocols(Arc<Inner>);

/// An answer to come, as `tower` has it.
pub type Answer = BoxFuture<'static, Result<Response, Infallible>>;

/// What [`Protocols`] are made of.
pub struct Inner {
    /// Who lets callers in.
    pub authenticator: Authenticator,
    /// Cancelled when the server ends.
    pub closed: CancellationToken,
    /// What browsers are told.
    pub cors: CorsLayer,
    /// The methods in Connect.
    pub connect: Router,
    /// The methods in gRPC, with health and reflection.
    pub grpc: Router,
}

impl Protocols {
    /// Puts them together.
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Answers whatever is asked.
    pub fn answer(self, request: Request) -> Answer {
        if !cors::is_asked_by_browser(&request) {
            return self.answer_program(request);
        }
        let cors = self.0.cors.clone();
        cors.layer(self.step(Self::answer_program)).call(request).boxed()
    }

    fn answer_program(self, mut request: Request) -> Answer {
        let method = match edge::admit(&mut request) {
            Continue(method) => method,
            Break(refusal) => return ready(Ok(refusal)).boxed(),
        };
        if bridge::is_wanted(&request) {
            return self.grpc(None, bridge::forth(request)).map_ok(bridge::back).boxed();
        }
        if !caller::is_grpc(&request) {
            return match method {
                Some(method) => self.connect(method, request),
                None => ready(Ok(edge::no_such_method(&request))).boxed(),
            };
        }
        // tonic-web also refuses gRPC over HTTP/1, which cannot carry it.
        if caller::is_grpc_web(&request) || request.version() != Version::HTTP_2 {
            let grpc = self
                .step(move |protocols, request| protocols.grpc(method, request))
                .map_request(|request: Request<tonic::body::Body>| request.map(Body::new));
            let answer = tonic_web::GrpcWebLayer::new().layer(grpc).call(request);
            return answer.map_ok(|answer| answer.map(Body::new)).boxed();
        }
        self.grpc(method, request).boxed()
    }

    fn connect(self, method: Method, request: Request) -> Answer {
        let limits = MessageLimits::new().receive_max_bytes(MAX_MESSAGE_BYTES);
        let mut connect = ConnectLayer::new().limits(limits);
        // Streams take as long as they take.
        if !method.is_stream {
            connect = connect.timeout(MAX_DURATION);
        }
        let inner = self.step(move |protocols, request| {
            let answer = protocols.connect_call(method, request);
            answer.or_else(|refusal| ready(Ok(refusal)))
        });
        connect.layer(inner).call(request)
    }

    async fn connect_call(self, method: Method, request: Request) -> Result<Response, Response> {
        let Inner { authenticator, connect, .. } = &*self.0;
        let call = async |request| {
            let mut connect = connect.clone();
            // Streams compress message by message.
            if method.is_stream {
                return Ok(infallible(connect.call(request).await));
            }
            let wanted = compression::wanted(&request);
            let request = compression::decompressed(request).await?;
            Ok(compression::compressed(infallible(connect.call(request).await), wanted).await)
        };
        caller::authenticated(authenticator, method, request, call).await?
    }

    async fn grpc(self, method: Option<Method>, request: Request) -> Result<Response, Infallible> {
        let Inner { authenticator, closed, grpc, .. } = &*self.0;
        let answer = async |request| infallible(grpc.clone().call(request).await);
        let call = async |request| match method {
            Some(method) => caller::authenticated(authenticator, method, request, answer).await,
            // Health and reflection are for everybody.
            None => Ok(answer(request).await),
        };
        Ok(edge::grpc(closed, method, request, call).await)
    }

    /// Something done with the request, as layers want it.
    fn step<F>(
        self,
        answer: impl Fn(Self, Request) -> F + Clone,
    ) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone
    where
        F: Future<Output = Result<Response, Infallible>> + Send,
    {
        service_fn(move |request| answer(self.clone(), request))
    }
}

fn infallible<T>(result: Result<T, Infallible>) -> T {
    result.unwrap_or_else(|never| match never {})
}
