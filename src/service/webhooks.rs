//! `scimd.v1.WebhookService`: where the change feed is sent.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::error::Error;
use super::feed;
use super::pagination;
use super::rules::{Violation, id, without_nul};
use crate::auth::Caller;
use crate::clock::Random;
use crate::model::{
    self, NewWebhookEndpoint, WEBHOOK_ENDPOINTS, WEBHOOK_SECRETS, WebhookEndpointChange,
    WebhookEndpointId, WebhookPolicy, WebhookSecretId, WebhookUrl,
};
use crate::proto::scimd::v1::webhook_service_server::WebhookService;
use crate::proto::scimd::v1::{
    AddWebhookSecretRequest, AddWebhookSecretResponse, CreateWebhookEndpointRequest,
    CreateWebhookEndpointResponse, DeleteWebhookEndpointRequest, DeleteWebhookEndpointResponse,
    GetWebhookEndpointRequest, GetWebhookEndpointResponse, ListWebhookEndpointsRequest,
    ListWebhookEndpointsResponse, PauseWebhookEndpointRequest, PauseWebhookEndpointResponse,
    RemoveWebhookSecretRequest, RemoveWebhookSecretResponse, ResumeWebhookEndpointRequest,
    ResumeWebhookEndpointResponse, UpdateWebhookEndpointRequest, UpdateWebhookEndpointResponse,
    WebhookEndpoint,
};
use crate::repository::{Repository, Write};
use crate::signing::{Keyring, SigningSecret};
use crate::telemetry;

mod message;

/// The service. Requests reach it authenticated, within the caller's role, and
/// with all rules of their fields kept.
pub struct Webhooks {
    pub(super) repository: Repository,
    /// Where secrets come from.
    pub(super) random: Arc<dyn Random>,
    /// What they are kept with.
    pub(super) keys: Option<Keyring>,
    /// Where endpoints may be.
    pub(super) policy: WebhookPolicy,
}

impl Webhooks {
    /// Makes an endpoint and its first secret.
    pub async fn create_webhook_endpoint(
        self: Arc<Self>,
        caller: Caller,
        request: CreateWebhookEndpointRequest,
    ) -> Result<CreateWebhookEndpointResponse, Error> {
        let organization_id = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization_id)?;
        let url = self.url(&request.url)?;
        let description = without_nul("description", request.description)?;
        let keys = self.keys.as_ref().ok_or(Error::WebhooksNotConfigured)?;

        let secret = SigningSecret::mint(&*self.random);
        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let bounds = tx.event_bounds(organization_id).await?;
        let after = request.after.unwrap_or(bounds.newest);
        feed::check(after, bounds)?;
        let id = tx.new_webhook_endpoint_id();
        let new = NewWebhookEndpoint { organization_id, url, description, after };
        let endpoint = tx.create_webhook_endpoint(id, new).await?;
        let endpoint = endpoint.ok_or(Error::WebhookEndpointsExhausted(WEBHOOK_ENDPOINTS))?;
        tx.add_webhook_secret(id, &keys.seal(id, &secret, &*self.random)).await?;
        let webhook_endpoint = Some(changed(&tx, endpoint).await?);
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            endpoint = %id,
            "webhook endpoint created"
        );
        Ok(CreateWebhookEndpointResponse {
            webhook_endpoint,
            secret: secret.to_text().expose_secret().to_owned(),
        })
    }

    /// Answers with one endpoint.
    pub async fn get_webhook_endpoint(
        self: Arc<Self>,
        caller: Caller,
        request: GetWebhookEndpointRequest,
    ) -> Result<GetWebhookEndpointResponse, Error> {
        let id = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;
        let store = self.repository.read();
        let endpoint = store.webhook_endpoint(caller.scope, id).await?;
        let endpoint = endpoint.ok_or(Error::WebhookEndpointNotFound(id))?;
        let secrets = store.webhook_secrets(id).await?.into_iter().map(|(secret, _)| secret);
        let newest = store.event_bounds(endpoint.organization_id).await?.newest;
        let message = message::endpoint(endpoint, secrets, newest);
        Ok(GetWebhookEndpointResponse { webhook_endpoint: Some(message) })
    }

    /// Lists what an organization has.
    pub async fn list_webhook_endpoints(
        self: Arc<Self>,
        caller: Caller,
        request: ListWebhookEndpointsRequest,
    ) -> Result<ListWebhookEndpointsResponse, Error> {
        let organization = id("organization_id", &request.organization_id)?;
        caller.require_organization(organization)?;
        let page = pagination::page(request.pagination.as_ref())?;
        let store = self.repository.read();
        let (endpoints, next) = store.webhook_endpoints(organization, page).await?;
        let secrets = store.webhook_secrets_of_organization(organization).await?;
        let newest = store.event_bounds(organization).await?.newest;
        let messages = endpoints.into_iter().map(|endpoint| {
            let id = endpoint.id;
            let own = secrets.iter().filter(move |(of, _)| *of == id);
            message::endpoint(endpoint, own.map(|(_, secret)| *secret), newest)
        });
        Ok(ListWebhookEndpointsResponse {
            webhook_endpoints: messages.collect(),
            pagination: Some(pagination::next(next)),
        })
    }

    /// Changes the fields that are present.
    pub async fn update_webhook_endpoint(
        self: Arc<Self>,
        caller: Caller,
        request: UpdateWebhookEndpointRequest,
    ) -> Result<UpdateWebhookEndpointResponse, Error> {
        let id = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;
        let url = request.url.map(|url| self.url(&url)).transpose()?;
        let description = request.description.map(|text| without_nul("description", text));
        let change = WebhookEndpointChange { url, description: description.transpose()? };

        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let endpoint = tx.update_webhook_endpoint(caller.scope, id, change).await?;
        let endpoint = endpoint.ok_or(Error::WebhookEndpointNotFound(id))?;
        let webhook_endpoint = Some(changed(&tx, endpoint).await?);
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            endpoint = %id,
            "webhook endpoint updated"
        );
        Ok(UpdateWebhookEndpointResponse { webhook_endpoint })
    }

    /// Removes an endpoint with its secrets.
    pub async fn delete_webhook_endpoint(
        self: Arc<Self>,
        caller: Caller,
        request: DeleteWebhookEndpointRequest,
    ) -> Result<DeleteWebhookEndpointResponse, Error> {
        let id = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;

        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        if !tx.delete_webhook_endpoint(caller.scope, id).await? {
            return Err(Error::WebhookEndpointNotFound(id));
        }
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            endpoint = %id,
            "webhook endpoint deleted"
        );
        Ok(DeleteWebhookEndpointResponse {})
    }

    /// Sends no more.
    pub async fn pause_webhook_endpoint(
        self: Arc<Self>,
        caller: Caller,
        request: PauseWebhookEndpointRequest,
    ) -> Result<PauseWebhookEndpointResponse, Error> {
        let id = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;

        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let endpoint = tx.pause_webhook_endpoint(caller.scope, id).await?;
        let endpoint = endpoint.ok_or(Error::WebhookEndpointNotFound(id))?;
        let webhook_endpoint = Some(changed(&tx, endpoint).await?);
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            endpoint = %id,
            "webhook endpoint paused"
        );
        Ok(PauseWebhookEndpointResponse { webhook_endpoint })
    }

    /// Goes on at once.
    pub async fn resume_webhook_endpoint(
        self: Arc<Self>,
        caller: Caller,
        request: ResumeWebhookEndpointRequest,
    ) -> Result<ResumeWebhookEndpointResponse, Error> {
        let id = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;

        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let endpoint = tx.touch_webhook_endpoint(caller.scope, id).await?;
        let endpoint = endpoint.ok_or(Error::WebhookEndpointNotFound(id))?;
        let after = request.after.unwrap_or(endpoint.delivery.delivered);
        feed::check(after, tx.event_bounds(endpoint.organization_id).await?)?;
        let endpoint = tx.resume_webhook_endpoint(id, request.after).await?;
        let endpoint = endpoint.ok_or(Error::WebhookEndpointNotFound(id))?;
        let webhook_endpoint = Some(changed(&tx, endpoint).await?);
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            endpoint = %id,
            after,
            "webhook endpoint resumed"
        );
        Ok(ResumeWebhookEndpointResponse { webhook_endpoint })
    }

    /// Makes another secret.
    pub async fn add_webhook_secret(
        self: Arc<Self>,
        caller: Caller,
        request: AddWebhookSecretRequest,
    ) -> Result<AddWebhookSecretResponse, Error> {
        let id: WebhookEndpointId = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;
        let others_expire_in = request.others_expire_in.map(std::time::Duration::try_from);
        let others_expire_in = others_expire_in
            .transpose()
            .map_err(|_negative| Violation::new("others_expire_in", "must not be negative"))?;
        let keys = self.keys.as_ref().ok_or(Error::WebhooksNotConfigured)?;

        let secret = SigningSecret::mint(&*self.random);
        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let endpoint = tx.touch_webhook_endpoint(caller.scope, id).await?;
        let endpoint = endpoint.ok_or(Error::WebhookEndpointNotFound(id))?;
        if let Some(span) = others_expire_in {
            tx.expire_webhook_secrets(id, tx.now().saturating_add(span)).await?;
        }
        tx.forget_webhook_secrets(id).await?;
        if tx.webhook_secrets(id).await?.len() >= WEBHOOK_SECRETS {
            return Err(Error::WebhookSecretsExhausted(WEBHOOK_SECRETS));
        }
        let sealed = keys.seal(id, &secret, &*self.random);
        let added = tx.add_webhook_secret(id, &sealed).await?;
        let webhook_endpoint = Some(changed(&tx, endpoint).await?);
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            endpoint = %id,
            secret = %added.id,
            "webhook secret added"
        );
        Ok(AddWebhookSecretResponse {
            webhook_endpoint,
            secret_id: added.id.to_string(),
            secret: secret.to_text().expose_secret().to_owned(),
        })
    }

    /// Removes a secret.
    pub async fn remove_webhook_secret(
        self: Arc<Self>,
        caller: Caller,
        request: RemoveWebhookSecretRequest,
    ) -> Result<RemoveWebhookSecretResponse, Error> {
        let id: WebhookEndpointId = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;
        let secret: WebhookSecretId = self::id("secret_id", &request.secret_id)?;

        let tx = self.repository.on_behalf_of(caller.origin()).write().await?;
        let endpoint = tx.touch_webhook_endpoint(caller.scope, id).await?;
        let endpoint = endpoint.ok_or(Error::WebhookEndpointNotFound(id))?;
        if !tx.remove_webhook_secret(id, secret).await? {
            return Err(Error::WebhookSecretNotFound(secret));
        }
        if tx.webhook_secrets(id).await?.iter().all(|left| left.expires_at.is_some()) {
            return Err(Error::WebhookSecretRequired);
        }
        let webhook_endpoint = Some(changed(&tx, endpoint).await?);
        tx.commit().await?;

        tracing::info!(
            id = telemetry::request(),
            %caller.key,
            endpoint = %id,
            %secret,
            "webhook secret removed"
        );
        Ok(RemoveWebhookSecretResponse { webhook_endpoint })
    }

    fn url(&self, text: &str) -> Result<String, Violation> {
        let url = WebhookUrl::parse(text, self.policy);
        let url = url.map_err(|invalid| Violation::new("url", invalid.to_string()))?;
        Ok(url.as_str().to_owned())
    }
}

/// The endpoint, with its secrets and the newest event of its organization, as the
/// transaction has them that changes it: what was committed cannot fail any more.
async fn changed(tx: &Write, endpoint: model::WebhookEndpoint) -> Result<WebhookEndpoint, Error> {
    let secrets = tx.webhook_secrets(endpoint.id).await?;
    let newest = tx.event_bounds(endpoint.organization_id).await?.newest;
    Ok(message::endpoint(endpoint, secrets.into_iter(), newest))
}

super::transport::serve!(Webhooks as WebhookService, "scimd.v1.WebhookService" {
    "CreateWebhookEndpoint" => create_webhook_endpoint(CreateWebhookEndpointRequest)
        -> CreateWebhookEndpointResponse;
    "GetWebhookEndpoint" => get_webhook_endpoint(GetWebhookEndpointRequest)
        -> GetWebhookEndpointResponse;
    "ListWebhookEndpoints" => list_webhook_endpoints(ListWebhookEndpointsRequest)
        -> ListWebhookEndpointsResponse;
    "UpdateWebhookEndpoint" => update_webhook_endpoint(UpdateWebhookEndpointRequest)
        -> UpdateWebhookEndpointResponse;
    "DeleteWebhookEndpoint" => delete_webhook_endpoint(DeleteWebhookEndpointRequest)
        -> DeleteWebhookEndpointResponse;
    "PauseWebhookEndpoint" => pause_webhook_endpoint(PauseWebhookEndpointRequest)
        -> PauseWebhookEndpointResponse;
    "ResumeWebhookEndpoint" => resume_webhook_endpoint(ResumeWebhookEndpointRequest)
        -> ResumeWebhookEndpointResponse;
    "AddWebhookSecret" => add_webhook_secret(AddWebhookSecretRequest) -> AddWebhookSecretResponse;
    "RemoveWebhookSecret" => remove_webhook_secret(RemoveWebhookSecretRequest)
        -> RemoveWebhookSecretResponse;
});
