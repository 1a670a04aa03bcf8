//! `scimd.v1.DirectoryService` as the product has it before it.

mod copy;
mod feed;
mod kills;
mod page;
mod reading;
mod snapshots;
mod stored;
mod tokens;

use scimd::model::OrganizationId;
use scimd::proto::scimd::v1::account_service_client::AccountServiceClient;
use scimd::proto::scimd::v1::directory_service_client::DirectoryServiceClient;
use serde_json::{Value, json};
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::harness::{Answer, Client, TestServer};
use crate::scim::client::Tenant;

const SERVICE: &str = "/scimd.v1.DirectoryService";

type Interceptor =
    Box<dyn FnMut(tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> + Send>;

/// The gRPC client that tonic generates, with a credential.
pub type GrpcClient = DirectoryServiceClient<InterceptedService<Channel, Interceptor>>;

/// The same of the service of accounts.
pub type AccountsClient = AccountServiceClient<InterceptedService<Channel, Interceptor>>;

/// An organization whose identity providers provision, and its product.
pub struct World {
    pub organization: OrganizationId,
    pub product: Client,
    pub tenant: Tenant,
}

impl World {
    pub async fn new(server: &TestServer) -> Self {
        let organization = server.organization();
        let product = server.admin(organization).await;
        Self { organization, product, tenant: Tenant::new(server, organization).await }
    }

    /// Calls a method with the organization and `fields`.
    pub async fn ask(&self, method: &str, fields: Value) -> Answer {
        let mut body = json!({ "organizationId": self.organization.to_string() });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.product.post(&format!("{SERVICE}/{method}"), body).await
    }

    /// Calls a method with the first configuration and `fields`.
    pub async fn ask_of_tenant(&self, method: &str, mut fields: Value) -> Answer {
        fields["scimConfigurationId"] = json!(self.tenant.configuration);
        self.product.post(&format!("{SERVICE}/{method}"), fields).await
    }

    /// The same caller through gRPC.
    pub async fn grpc(&self) -> GrpcClient {
        grpc(&self.product.url, self.product.key.as_deref().unwrap()).await
    }

    /// The same, of accounts.
    pub async fn accounts(&self) -> AccountsClient {
        accounts(&self.product.url, self.product.key.as_deref().unwrap()).await
    }
}

pub async fn grpc(url: &str, key: &str) -> GrpcClient {
    try_grpc(url, key).await.unwrap()
}

/// The same of a server that may not be there.
pub async fn try_grpc(url: &str, key: &str) -> Result<GrpcClient, tonic::transport::Error> {
    let channel = Channel::from_shared(url.to_owned()).unwrap().connect().await?;
    Ok(DirectoryServiceClient::with_interceptor(channel, credential(key)))
}

pub async fn accounts(url: &str, key: &str) -> AccountsClient {
    let channel = Channel::from_shared(url.to_owned()).unwrap().connect().await.unwrap();
    AccountServiceClient::with_interceptor(channel, credential(key))
}

fn credential(key: &str) -> Interceptor {
    let credential = MetadataValue::try_from(format!("Bearer {key}")).unwrap();
    Box::new(move |mut request: tonic::Request<()>| {
        request.metadata_mut().insert("authorization", credential.clone());
        Ok(request)
    })
}

/// The ids of a list's items.
fn ids(answer: &Answer, list: &str) -> Vec<String> {
    let items = answer.clone().ok()[list].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
