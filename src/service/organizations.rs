//! `gitpod.v1.OrganizationService`: the SCIM configurations of organizations.

use std::sync::Arc;

use super::error::Error;
use super::pagination;
use super::rules::{Violation, id, without_nul};
use crate::auth::Caller;
use crate::clock::Random;
use crate::model::{Configuration, ConfigurationChange, Instant, NewConfiguration, TokenLifetime};
use crate::proto::gitpod::v1::organization_service_server::OrganizationService;
use crate::proto::gitpod::v1::{
    CreateScimConfigurationRequest, CreateScimConfigurationResponse,
    DeleteScimConfigurationRequest, DeleteScimConfigurationResponse, GetScimConfigurationRequest,
    GetScimConfigurationResponse, ListScimConfigurationsRequest, ListScimConfigurationsResponse,
    RegenerateScimTokenRequest, RegenerateScimTokenResponse, ScimConfiguration,
    UpdateScimConfigurationRequest, UpdateScimConfigurationResponse,
};
use crate::repository::Repository;
use crate::telemetry;
use crate::token::{Kind, PlainToken};

/// The service. Requests reach it authenticated, within the caller's role, and
/// with all rules of their fields kept.
pub struct Organizations {
    repository: Repository,
    random: Arc<dyn Random>,
}

impl Organizations {
    /// A service over `repository` whose tokens come from `random`.
    #[must_use]
    pub fn new(repository: Repository, random: Arc<dyn Random>) -> Self {
        Self { repository, random }
    }

    /// Makes a configuration and its first token.
    pub async fn create_scim_configuration(
        self: Arc<Self>,
        caller: Caller,
        request: CreateScimConfigurationRequest,
    ) -> Result<CreateScimConfigurationResponse, Error> {
        let new = NewConfiguration {
            organization_id: id("organization_id", &request.organization_id)?,
            name: name(request.name)?.unwrap_or_default(),
            sso_configuration_id: id("sso_configuration_id", &request.sso_configuration_id)?,
            allow_unverified_email_account_linking: request
                .allow_unverified_email_account_linking
                .unwrap_or_default(),
            token_lifetime: lifetime(request.token_expires_in)?.unwrap_or(TokenLifetime::DEFAULT),
        };
        caller.require_organization(new.organization_id)?;

        let token = PlainToken::mint(Kind::Scim, &*self.random);
        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let configuration = tx.create_configuration(new, &token.hash()).await?;
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            configuration = %configuration.id,
            "configuration created"
        );
        Ok(CreateScimConfigurationResponse {
            token: token.expose().to_owned(),
            token_expires_at: Some(configuration.token_expires_at.into()),
            scim_configuration: Some(configuration.into()),
        })
    }

    /// Answers with one configuration.
    pub async fn get_scim_configuration(
        self: Arc<Self>,
        caller: Caller,
        request: GetScimConfigurationRequest,
    ) -> Result<GetScimConfigurationResponse, Error> {
        let id = id("scim_configuration_id", &request.scim_configuration_id)?;
        let configuration = self.repository.read().configuration(caller.scope, id).await?;
        let configuration = configuration.ok_or(Error::ConfigurationNotFound(id))?;
        Ok(GetScimConfigurationResponse { scim_configuration: Some(configuration.into()) })
    }

    /// Lists what the caller's organization owns; for a platform key, what all
    /// organizations own.
    pub async fn list_scim_configurations(
        self: Arc<Self>,
        caller: Caller,
        request: ListScimConfigurationsRequest,
    ) -> Result<ListScimConfigurationsResponse, Error> {
        let page = pagination::page(request.pagination.as_ref())?;
        let (configurations, next) =
            self.repository.read().configurations(caller.scope, page).await?;
        Ok(ListScimConfigurationsResponse {
            pagination: Some(pagination::next(next)),
            scim_configurations: configurations.into_iter().map(Into::into).collect(),
        })
    }

    /// Changes the fields that are present.
    pub async fn update_scim_configuration(
        self: Arc<Self>,
        caller: Caller,
        request: UpdateScimConfigurationRequest,
    ) -> Result<UpdateScimConfigurationResponse, Error> {
        let id = id("scim_configuration_id", &request.scim_configuration_id)?;
        let change = ConfigurationChange {
            name: name(request.name)?,
            enabled: request.enabled,
            sso_configuration_id: match request.sso_configuration_id.as_deref() {
                None => None,
                Some("") => Some(None),
                Some(text) => Some(Some(self::id("sso_configuration_id", text)?)),
            },
            allow_unverified_email_account_linking: request.allow_unverified_email_account_linking,
        };

        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let configuration = tx.update_configuration(caller.scope, id, change).await?;
        let configuration = configuration.ok_or(Error::ConfigurationNotFound(id))?;
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            configuration = %id,
            "configuration updated"
        );
        Ok(UpdateScimConfigurationResponse { scim_configuration: Some(configuration.into()) })
    }

    /// Removes a configuration with its token.
    pub async fn delete_scim_configuration(
        self: Arc<Self>,
        caller: Caller,
        request: DeleteScimConfigurationRequest,
    ) -> Result<DeleteScimConfigurationResponse, Error> {
        let id = id("scim_configuration_id", &request.scim_configuration_id)?;

        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        if !tx.delete_configuration(caller.scope, id).await? {
            return Err(Error::ConfigurationNotFound(id));
        }
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            configuration = %id,
            "configuration deleted"
        );
        Ok(DeleteScimConfigurationResponse {})
    }

    /// Replaces the token; the old one ends at once.
    pub async fn regenerate_scim_token(
        self: Arc<Self>,
        caller: Caller,
        request: RegenerateScimTokenRequest,
    ) -> Result<RegenerateScimTokenResponse, Error> {
        let id = id("scim_configuration_id", &request.scim_configuration_id)?;
        let lifetime = lifetime(request.token_expires_in)?;

        let token = PlainToken::mint(Kind::Scim, &*self.random);
        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let configuration = tx.replace_token(caller.scope, id, &token.hash(), lifetime).await?;
        let configuration = configuration.ok_or(Error::ConfigurationNotFound(id))?;
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            configuration = %id,
            "token regenerated"
        );
        Ok(RegenerateScimTokenResponse {
            token: token.expose().to_owned(),
            token_expires_at: Some(configuration.token_expires_at.into()),
        })
    }
}

super::transport::serve!(Organizations as OrganizationService, "gitpod.v1.OrganizationService" {
    "CreateSCIMConfiguration" => create_scim_configuration(CreateScimConfigurationRequest)
        -> CreateScimConfigurationResponse;
    "GetSCIMConfiguration" => get_scim_configuration(GetScimConfigurationRequest)
        -> GetScimConfigurationResponse;
    "ListSCIMConfigurations" => list_scim_configurations(ListScimConfigurationsRequest)
        -> ListScimConfigurationsResponse;
    "UpdateSCIMConfiguration" => update_scim_configuration(UpdateScimConfigurationRequest)
        -> UpdateScimConfigurationResponse;
    "DeleteSCIMConfiguration" => delete_scim_configuration(DeleteScimConfigurationRequest)
        -> DeleteScimConfigurationResponse;
    "RegenerateSCIMToken" => regenerate_scim_token(RegenerateScimTokenRequest)
        -> RegenerateScimTokenResponse;
});

impl From<Configuration> for ScimConfiguration {
    fn from(configuration: Configuration) -> Self {
        Self {
            id: configuration.id.to_string(),
            organization_id: configuration.organization_id.to_string(),
            name: configuration.name,
            enabled: configuration.enabled,
            sso_configuration_id: configuration
                .sso_configuration_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            created_at: Some(configuration.created_at.into()),
            updated_at: Some(configuration.updated_at.into()),
            token_expires_at: Some(configuration.token_expires_at.into()),
            allow_unverified_email_account_linking: configuration
                .allow_unverified_email_account_linking,
        }
    }
}

impl From<Instant> for prost_types::Timestamp {
    fn from(instant: Instant) -> Self {
        let (seconds, nanos) = instant.as_seconds_and_nanos();
        Self { seconds, nanos }
    }
}

/// PostgreSQL cannot store the character NUL, which no name needs.
fn name(name: Option<String>) -> Result<Option<String>, Violation> {
    name.map(|name| without_nul("name", name)).transpose()
}

fn lifetime(duration: Option<prost_types::Duration>) -> Result<Option<TokenLifetime>, Violation> {
    let Some(duration) = duration else { return Ok(None) };
    let duration = std::time::Duration::try_from(duration)
        .map_err(|_negative| Violation::new("token_expires_in", "must not be negative"))?;
    Ok(Some(duration.into()))
}
