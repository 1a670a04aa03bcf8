//! The first ceiling: the same HTTP stack, which reads the request and answers
//! always the same. It is what a request costs before anything is done for it.

use std::thread::available_parallelism;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::routing::{MethodFilter, on};
use prost::Message;
use scimd::proto::gitpod::v1::organization_service_server::{
    OrganizationService, OrganizationServiceServer,
};
use scimd::proto::gitpod::v1::{
    CreateScimConfigurationRequest, CreateScimConfigurationResponse,
    DeleteScimConfigurationRequest, DeleteScimConfigurationResponse, GetScimConfigurationRequest,
    GetScimConfigurationResponse, ListScimConfigurationsRequest, ListScimConfigurationsResponse,
    RegenerateScimTokenRequest, RegenerateScimTokenResponse, UpdateScimConfigurationRequest,
    UpdateScimConfigurationResponse,
};
use scimd::server::Threads;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::operations::{Action, Operation, Protocol};
use crate::record::Recorded;

/// Serves until this process is ended, and says on which port.
pub async fn serve(operation: &Operation, recorded: Recorded) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let router = if operation.protocol == Protocol::Grpc {
        let service = OrganizationServiceServer::new(Constant::new(&recorded)?);
        Routes::new(service).into_axum_router()
    } else {
        http(operation.action, recorded)?
    };
    let never = CancellationToken::new();
    let mut threads =
        Threads::start(available_parallelism()?, listener, &never, move || router.clone())?;
    Ok(threads.served().await?)
}

fn http(action: Action, recorded: Recorded) -> anyhow::Result<Router> {
    let (filter, path) = route(action);
    let status = StatusCode::from_u16(recorded.status)?;
    let headers = headers(&recorded)?;
    let body = Bytes::from(recorded.body);
    let handler = move |_request: Bytes| async move {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    };
    Ok(Router::new().route(path, on(filter, handler)))
}

/// All but those that hyper adds.
fn headers(recorded: &Recorded) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &recorded.headers {
        if !matches!(name.as_str(), "content-length" | "date") {
            headers.insert(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
        }
    }
    Ok(headers)
}

const fn route(action: Action) -> (MethodFilter, &'static str) {
    const USERS: &str = "/scim/v2/{configuration}/Users";
    const USER: &str = "/scim/v2/{configuration}/Users/{id}";
    const GROUP: &str = "/scim/v2/{configuration}/Groups/{id}";
    match action {
        Action::CreateUser => (MethodFilter::POST, USERS),
        Action::GetUser => (MethodFilter::GET, USER),
        Action::FindByUserName
        | Action::FindByExternalId
        | Action::FirstPage
        | Action::PageBehind => (MethodFilter::GET, USERS),
        Action::PatchUser => (MethodFilter::PATCH, USER),
        Action::Members { .. } | Action::RenameGroup { .. } => (MethodFilter::PATCH, GROUP),
        Action::GetGroup { .. } => (MethodFilter::GET, GROUP),
        Action::Rpc(method) => (MethodFilter::POST, method.path()),
    }
}

/// The same for gRPC.
struct Constant {
    /// The message that was recorded, without the frame around it.
    message: Bytes,
    request_id: Option<tonic::metadata::AsciiMetadataValue>,
}

impl Constant {
    fn new(recorded: &Recorded) -> anyhow::Result<Self> {
        let message = recorded.body.get(5..).unwrap_or_default().to_vec().into();
        let request_id = recorded.headers.iter().find(|(name, _)| name == "x-request-id");
        let request_id = request_id.map(|(_, value)| value.parse()).transpose()?;
        Ok(Self { message, request_id })
    }

    fn answer<T: Message + Default>(&self) -> Result<tonic::Response<T>, tonic::Status> {
        let message = T::decode(self.message.clone());
        let message = message.map_err(|error| tonic::Status::internal(error.to_string()))?;
        let mut response = tonic::Response::new(message);
        if let Some(id) = &self.request_id {
            response.metadata_mut().insert("x-request-id", id.clone());
        }
        Ok(response)
    }
}

macro_rules! constant {
    ($($method:ident($request:ty) -> $response:ty;)+) => {
        #[tonic::async_trait]
        impl OrganizationService for Constant {
            $(async fn $method(
                &self,
                _request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                self.answer()
            })+
        }
    };
}

constant! {
    create_scim_configuration(CreateScimConfigurationRequest) -> CreateScimConfigurationResponse;
    get_scim_configuration(GetScimConfigurationRequest) -> GetScimConfigurationResponse;
    list_scim_configurations(ListScimConfigurationsRequest) -> ListScimConfigurationsResponse;
    update_scim_configuration(UpdateScimConfigurationRequest) -> UpdateScimConfigurationResponse;
    delete_scim_configuration(DeleteScimConfigurationRequest) -> DeleteScimConfigurationResponse;
    regenerate_scim_token(RegenerateScimTokenRequest) -> RegenerateScimTokenResponse;
}
