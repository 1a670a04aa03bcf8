//! The secrets of webhook endpoints, encrypted by who hands them over.

use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::{Read, Result, Write};
use crate::model::{Instant, OrganizationId, WebhookEndpointId, WebhookSecret, WebhookSecretId};
use crate::signing::SealedSecret;

impl Read {
    /// The secrets of an endpoint, oldest first, with what they are.
    pub async fn webhook_secrets(
        &self,
        endpoint: WebhookEndpointId,
    ) -> Result<Vec<(WebhookSecret, SealedSecret)>> {
        let rows = rows(&self.connection, endpoint).await?;
        Ok(rows.into_iter().map(|row| (WebhookSecret::from(&row), row.sealed.into())).collect())
    }

    /// The secrets of all endpoints of an organization, oldest first.
    pub async fn webhook_secrets_of_organization(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<(WebhookEndpointId, WebhookSecret)>> {
        const SQL: &str = "SELECT secret.endpoint_id, secret.id, secret.sealed, \
                 secret.created_at, secret.expires_at \
             FROM scim_webhook_endpoints AS endpoint \
             JOIN scim_webhook_secrets AS secret ON secret.endpoint_id = endpoint.id \
             WHERE endpoint.organization_id = $1 ORDER BY secret.created_at, secret.id";
        let values = [organization.as_uuid().into()];
        let rows: Vec<Row> = self.connection.query(SQL, values).await?;
        Ok(rows.iter().map(|row| (row.endpoint_id.into(), row.into())).collect())
    }
}

impl Write {
    /// The secrets of an endpoint, oldest first, without what they are.
    pub async fn webhook_secrets(&self, endpoint: WebhookEndpointId) -> Result<Vec<WebhookSecret>> {
        Ok(rows(&self.transaction, endpoint).await?.iter().map(WebhookSecret::from).collect())
    }

    /// Adds a secret that does not end.
    pub async fn add_webhook_secret(
        &self,
        endpoint: WebhookEndpointId,
        secret: &SealedSecret,
    ) -> Result<WebhookSecret> {
        let id = WebhookSecretId::new(self.now, self.random.id_bytes());
        self.execute(
            "INSERT INTO scim_webhook_secrets (endpoint_id, id, sealed, created_at) \
             VALUES ($1, $2, $3, $4)",
            [
                endpoint.as_uuid().into(),
                id.as_uuid().into(),
                secret.as_bytes().to_vec().into(),
                self.now.as_micros().into(),
            ],
        )
        .await?;
        Ok(WebhookSecret { id, created_at: self.now, expires_at: None })
    }

    /// Lets the secrets of an endpoint end at `end`, but for those that end
    /// sooner.
    pub async fn expire_webhook_secrets(
        &self,
        endpoint: WebhookEndpointId,
        end: Instant,
    ) -> Result<()> {
        self.execute(
            "UPDATE scim_webhook_secrets SET expires_at = $2 \
             WHERE endpoint_id = $1 AND (expires_at IS NULL OR expires_at > $2)",
            [endpoint.as_uuid().into(), end.as_micros().into()],
        )
        .await?;
        Ok(())
    }

    /// Removes those that have ended.
    pub async fn forget_webhook_secrets(&self, endpoint: WebhookEndpointId) -> Result<()> {
        self.execute(
            "DELETE FROM scim_webhook_secrets WHERE endpoint_id = $1 AND expires_at <= $2",
            [endpoint.as_uuid().into(), self.now.as_micros().into()],
        )
        .await?;
        Ok(())
    }

    /// Removes one. `false`: the endpoint has no such secret.
    pub async fn remove_webhook_secret(
        &self,
        endpoint: WebhookEndpointId,
        id: WebhookSecretId,
    ) -> Result<bool> {
        let sql = "DELETE FROM scim_webhook_secrets WHERE endpoint_id = $1 AND id = $2";
        let removed = self.execute(sql, [endpoint.as_uuid().into(), id.as_uuid().into()]).await?;
        Ok(removed > 0)
    }
}

async fn rows<C: Rows>(connection: &C, endpoint: WebhookEndpointId) -> Result<Vec<Row>> {
    const SQL: &str = "SELECT endpoint_id, id, sealed, created_at, expires_at \
         FROM scim_webhook_secrets WHERE endpoint_id = $1 ORDER BY created_at, id";
    Ok(connection.query(SQL, [endpoint.as_uuid().into()]).await?)
}

struct Row {
    endpoint_id: Uuid,
    id: Uuid,
    sealed: Vec<u8>,
    created_at: i64,
    expires_at: Option<i64>,
}

from_row!(Row { endpoint_id, id, sealed, created_at, expires_at });

impl From<&Row> for WebhookSecret {
    fn from(row: &Row) -> Self {
        Self {
            id: row.id.into(),
            created_at: Instant::from_micros(row.created_at),
            expires_at: row.expires_at.map(Instant::from_micros),
        }
    }
}
