//! One adapter for every method and every protocol.
//!
//! A method is written once, as `(service, caller, request) -> response` or a
//! stream of them, and named once, in a [`serve!`] block, which makes of it a
//! gRPC method (and with it gRPC-Web) and a Connect route.

use std::future::Future;
use std::sync::Arc;

use axum::Extension;
use axum::extract::RawQuery;
use axum::http::Method;
use axum::routing::MethodRouter;
use connectrpc_axum::{
    ConnectError, ConnectRequest, ConnectResponse, StreamBody, get_connect, post_connect,
};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use prost::{Message, Name};
use serde::Serialize;

use super::caller::Authenticated;
use super::error::Error;
use super::methods;
use super::rules::{self, Validate};
use super::wire::Wire;
use crate::auth::{Access, Caller};
use crate::telemetry;

/// A service as tonic's generated stubs want it.
pub struct Grpc<S>(pub Arc<S>);

impl<S> Grpc<S> {
    /// Answers one gRPC request with `method`.
    pub async fn unary<Req, Res, M, F>(
        &self,
        request: tonic::Request<Req>,
        method: M,
    ) -> Result<tonic::Response<Res>, tonic::Status>
    where
        Req: Validate,
        M: Fn(Arc<S>, Caller, Req) -> F,
        F: Future<Output = Result<Res, Error>>,
    {
        let caller = caller_of(&request);
        let response = call(&self.0, caller, request.into_inner(), method).await?;
        Ok(tonic::Response::new(response))
    }

    /// Answers one gRPC request with the stream that `method` gives.
    pub async fn stream<Req, Res, M, F, St>(
        &self,
        request: tonic::Request<Req>,
        method: M,
    ) -> Result<tonic::Response<BoxStream<'static, Result<Res, tonic::Status>>>, tonic::Status>
    where
        Req: Validate,
        M: Fn(Arc<S>, Caller, Req) -> F,
        F: Future<Output = Result<St, Error>>,
        St: Stream<Item = Result<Res, Error>> + Send + 'static,
    {
        let caller = caller_of(&request);
        let stream = call(&self.0, caller, request.into_inner(), method).await?;
        let stream = stream.map(move |part| part.map_err(|error| told(caller, error)));
        Ok(tonic::Response::new(stream.boxed()))
    }
}

fn caller_of<Req>(request: &tonic::Request<Req>) -> Caller {
    let Authenticated(caller) = *request
        .extensions()
        .get()
        .expect("every method of a descriptor is behind the layer that finds the caller");
    caller
}

/// The Connect route of the method at `path`: POST, and GET where the method
/// has no side effects.
pub fn connect<S, Req, Res, M, F>(path: &str, service: &Arc<S>, method: M) -> MethodRouter
where
    S: Send + Sync + 'static,
    Req: Name + Default + Validate + 'static,
    Res: Message + Serialize + Default + 'static,
    M: Fn(Arc<S>, Caller, Req) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Res, Error>> + Send + 'static,
{
    let service = Arc::clone(service);
    let handler = move |http_method: Method,
                        RawQuery(query): RawQuery,
                        Extension(Authenticated(caller)): Extension<Authenticated>,
                        ConnectRequest(mut request): ConnectRequest<Wire<Req>>| {
        let (service, method) = (Arc::clone(&service), method.clone());
        async move {
            // The query of a GET is the request itself.
            if let (Method::POST, Some(query)) = (http_method, query) {
                request.read_pagination(&query);
            }
            if let Some(violation) = request.malformed {
                return Err(ConnectError::from(Error::from(violation)));
            }
            let response = call(&service, caller, request.message, method).await?;
            Ok(ConnectResponse::new(Wire::new(response)))
        }
    };
    match methods::method(path).map(|method| method.access) {
        Some(Access::Read) => get_connect(handler.clone()).merge(post_connect(handler)),
        Some(Access::Write) | None => post_connect(handler),
    }
}

/// The Connect route of a method that answers with a stream.
#[expect(clippy::result_large_err, reason = "the error is the library's, and its size with it")]
pub fn connect_stream<S, Req, Res, M, F, St>(service: &Arc<S>, method: M) -> MethodRouter
where
    S: Send + Sync + 'static,
    Req: Name + Default + Validate + 'static,
    Res: Message + Serialize + Default + 'static,
    M: Fn(Arc<S>, Caller, Req) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<St, Error>> + Send + 'static,
    St: Stream<Item = Result<Res, Error>> + Send + 'static,
{
    let service = Arc::clone(service);
    post_connect(
        move |Extension(Authenticated(caller)): Extension<Authenticated>,
              ConnectRequest(request): ConnectRequest<Wire<Req>>| {
            let (service, method) = (Arc::clone(&service), method.clone());
            async move {
                if let Some(violation) = request.malformed {
                    return Err(ConnectError::from(Error::from(violation)));
                }
                let stream = call(&service, caller, request.message, method).await?;
                let stream = stream
                    .map(move |part| part.map(Wire::new).map_err(|error| told(caller, error)));
                Ok(ConnectResponse(StreamBody::new(stream.boxed())))
            }
        },
    )
}

/// An error in the middle of a stream, logged as one of its request.
fn told<E: From<Error>>(caller: Caller, error: Error) -> E {
    telemetry::working_now_for(caller.request, || error.into())
}

/// What every protocol does with a request once it is a message.
async fn call<S, Req, Res, M, F>(
    service: &Arc<S>,
    caller: Caller,
    request: Req,
    method: M,
) -> Result<Res, Error>
where
    Req: Validate,
    M: Fn(Arc<S>, Caller, Req) -> F,
    F: Future<Output = Result<Res, Error>>,
{
    let violations = rules::violations(&request);
    if violations.is_empty() {
        method(Arc::clone(service), caller, request).await
    } else {
        Err(Error::Invalid(violations))
    }
}

/// Names the methods of a service.
///
/// `serve!(Type as generated_trait, "package.Service" { "Method" => method(Request) -> Response; … })`
/// implements the generated trait for `Grpc<Type>` and makes a function
/// `connect_routes(&Arc<Type>) -> Router`. Methods that answer with streams
/// follow as `streams { "Method" => method(Request) -> Response as AssociatedType; … }`
/// and have their routes in `connect_streams`.
macro_rules! serve {
    ($service:ty as $stub:path, $name:literal {
        $($rpc:literal => $method:ident($request:ty) -> $response:ty;)+
    } $(streams {
        $($stream:literal => $streaming:ident($asked:ty) -> $part:ty as $associated:ident;)+
    })?) => {
        #[tonic::async_trait]
        impl $stub for $crate::service::transport::Grpc<$service> {
            $(async fn $method(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                self.unary(request, <$service>::$method).await
            })+
            $($(
                type $associated = futures::stream::BoxStream<'static, Result<$part, tonic::Status>>;

                async fn $streaming(
                    &self,
                    request: tonic::Request<$asked>,
                ) -> Result<tonic::Response<Self::$associated>, tonic::Status> {
                    self.stream(request, <$service>::$streaming).await
                }
            )+)?
        }

        /// The Connect routes of the service.
        pub fn connect_routes(service: &std::sync::Arc<$service>) -> axum::Router {
            axum::Router::new()$(.route(
                concat!("/", $name, "/", $rpc),
                $crate::service::transport::connect(
                    concat!("/", $name, "/", $rpc),
                    service,
                    <$service>::$method,
                ),
            ))+
        }

        $(
            /// The Connect routes of the methods that answer with streams.
            pub fn connect_streams(service: &std::sync::Arc<$service>) -> axum::Router {
                axum::Router::new()$(.route(
                    concat!("/", $name, "/", $stream),
                    $crate::service::transport::connect_stream(service, <$service>::$streaming),
                ))+
            }
        )?
    };
}
pub(super) use serve;
