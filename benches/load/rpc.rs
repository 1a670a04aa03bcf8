//! The messages of the control plane.

use axum::body::Bytes;
use prost::Message;
use scimd::proto::gitpod::v1::{
    CreateScimConfigurationRequest, DeleteScimConfigurationRequest, GetScimConfigurationRequest,
    ListScimConfigurationsRequest, RegenerateScimTokenRequest, UpdateScimConfigurationRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::subject::Subject;

/// The methods of `OrganizationService`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    Create,
    Get,
    List,
    Update,
    Delete,
    Regenerate,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "rpc-create",
            Self::Get => "rpc-get",
            Self::List => "rpc-list",
            Self::Update => "rpc-update",
            Self::Delete => "rpc-delete",
            Self::Regenerate => "rpc-regenerate",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Get => "Get",
            Self::List => "List",
            Self::Update => "Update",
            Self::Delete => "Delete",
            Self::Regenerate => "Regenerate",
        }
    }

    pub const fn path(self) -> &'static str {
        match self {
            Self::Create => "/gitpod.v1.OrganizationService/CreateSCIMConfiguration",
            Self::Get => "/gitpod.v1.OrganizationService/GetSCIMConfiguration",
            Self::List => "/gitpod.v1.OrganizationService/ListSCIMConfigurations",
            Self::Update => "/gitpod.v1.OrganizationService/UpdateSCIMConfiguration",
            Self::Delete => "/gitpod.v1.OrganizationService/DeleteSCIMConfiguration",
            Self::Regenerate => "/gitpod.v1.OrganizationService/RegenerateSCIMToken",
        }
    }

    /// The request as JSON.
    pub fn json(self, organization: Uuid, subject: &Subject) -> Bytes {
        let (id, name) = (subject.configuration, subject.name());
        Bytes::from(match self {
            Self::Create => json!({
                "organizationId": organization, "ssoConfigurationId": organization, "name": name,
            })
            .to_string(),
            Self::Get | Self::Delete | Self::Regenerate => {
                format!("{{\"scimConfigurationId\":\"{id}\"}}")
            }
            Self::List => "{}".to_owned(),
            Self::Update => format!("{{\"scimConfigurationId\":\"{id}\",\"name\":\"{name}\"}}"),
        })
    }

    /// The request as protobuf.
    pub fn binary(self, organization: Uuid, subject: &Subject) -> Vec<u8> {
        let (id, name) = (subject.configuration.to_string(), Some(subject.name()));
        match self {
            Self::Create => CreateScimConfigurationRequest {
                organization_id: organization.to_string(),
                sso_configuration_id: organization.to_string(),
                name,
                ..Default::default()
            }
            .encode_to_vec(),
            Self::Get => GetScimConfigurationRequest { scim_configuration_id: id }.encode_to_vec(),
            Self::List => ListScimConfigurationsRequest::default().encode_to_vec(),
            Self::Update => UpdateScimConfigurationRequest {
                scim_configuration_id: id,
                name,
                ..Default::default()
            }
            .encode_to_vec(),
            Self::Delete => {
                DeleteScimConfigurationRequest { scim_configuration_id: id }.encode_to_vec()
            }
            Self::Regenerate => {
                RegenerateScimTokenRequest { scim_configuration_id: id, ..Default::default() }
                    .encode_to_vec()
            }
        }
    }

    /// The request as one gRPC message.
    pub fn framed(self, organization: Uuid, subject: &Subject) -> Bytes {
        let message = self.binary(organization, subject);
        let length = u32::try_from(message.len()).expect("a request is small");
        let mut framed = Vec::with_capacity(message.len() + 5);
        framed.push(0);
        framed.extend(length.to_be_bytes());
        framed.extend(message);
        framed.into()
    }
}
