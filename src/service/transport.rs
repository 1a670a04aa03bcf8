//! One adapter for every unary method and every protocol.
//!
//! A method is written once, as `(service, caller, request) -> response`, and
//! named once, in a [`serve!`] block, which makes of it a gRPC method (and with
//! it gRPC-Web) and a Connect route.

use std::future::Future;
use std::sync::Arc;

use axum::Extension;
use axum::extract::RawQuery;
use axum::http::Method;
use axum::routing::MethodRouter;
use connectrpc_axum::{ConnectError, ConnectRequest, ConnectResponse, get_connect, post_connect};
use prost::Name;

use super::caller::Authenticated;
use super::error::Error;
use super::methods;
use super::rules::{self, Validate};
use super::wire::Wire;
use crate::auth::{Access, Caller};

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
        let Authenticated(caller) = *request
            .extensions()
            .get()
            .expect("every method of a descriptor is behind the layer that finds the caller");
        let response = call(&self.0, caller, request.into_inner(), method).await?;
        Ok(tonic::Response::new(response))
    }
}

/// The Connect route of the method at `path`: POST, and GET where the method
/// has no side effects.
pub fn connect<S, Req, Res, M, F>(path: &str, service: &Arc<S>, method: M) -> MethodRouter
where
    S: Send + Sync + 'static,
    Req: Name + Default + Validate + 'static,
    Res: Name + Default + 'static,
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
    match methods::access(path) {
        Some(Access::Read) => get_connect(handler.clone()).merge(post_connect(handler)),
        Some(Access::Write) | None => post_connect(handler),
    }
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
/// `connect_routes(&Arc<Type>) -> Router`.
macro_rules! serve {
    ($service:ty as $stub:path, $name:literal {
        $($rpc:literal => $method:ident($request:ty) -> $response:ty;)+
    }) => {
        #[tonic::async_trait]
        impl $stub for $crate::service::transport::Grpc<$service> {
            $(async fn $method(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                self.unary(request, <$service>::$method).await
            })+
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
    };
}
pub(super) use serve;
