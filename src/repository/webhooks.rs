//! Webhook endpoints as their organizations see and change them.
//!
//! Whoever delivers to an endpoint has its lease. A change leaves that in place,
//! so that no second one begins meanwhile, and moves the revision, by which the
//! first one learns of it.

use sea_orm::Value;
use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::events::{bound, number};
use super::{Error, Read, Result, Write, events};
use crate::model::{
    Instant, NewWebhookEndpoint, OrganizationId, Page, Position, Scope, WEBHOOK_ENDPOINTS,
    WebhookDelivery, WebhookEndpoint, WebhookEndpointChange, WebhookEndpointId, WebhookFailure,
    WebhookFailureKind, WebhookPause,
};

/// What is read of an endpoint.
const COLUMNS: &str = "id, organization_id, url, description, created_at, updated_at, delivered, \
     due_at, lease, failures, failing_since, last_success_at, last_failure_at, \
     last_failure_number, last_failure_kind, last_failure_status, paused_at, pause_reason";

/// What every change does: who has the lease keeps it, and nobody waits for the
/// next attempt. `$3` is the instant.
const CHANGED: &str = "updated_at = $3, revision = revision + 1, \
     due_at = CASE WHEN lease IS NULL AND paused_at IS NULL THEN $3 ELSE due_at END";

impl Read {
    /// The endpoint, if it exists within `scope`.
    pub async fn webhook_endpoint(
        &self,
        scope: Scope,
        id: WebhookEndpointId,
    ) -> Result<Option<WebhookEndpoint>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM scim_webhook_endpoints \
             WHERE id = $1 AND ($2 IS NULL OR organization_id = $2)"
        );
        let values = [id.as_uuid().into(), owner(scope)];
        let row: Option<Row> = self.connection.query(sql, values).await?.pop();
        row.map(WebhookEndpoint::try_from).transpose()
    }

    /// One page of an organization's endpoints, oldest first, and the position of
    /// its last item if more follow.
    pub async fn webhook_endpoints(
        &self,
        organization: OrganizationId,
        page: Page,
    ) -> Result<(Vec<WebhookEndpoint>, Option<Position>)> {
        let sql = format!(
            "SELECT {COLUMNS} FROM scim_webhook_endpoints \
             WHERE organization_id = $1 AND (created_at, id) > ($2, $3) \
             ORDER BY created_at, id LIMIT $4"
        );
        let start = Position { created_at: Instant::from_micros(i64::MIN), id: Uuid::nil() };
        let after = page.after.unwrap_or(start);
        let values = [
            organization.as_uuid().into(),
            after.created_at.as_micros().into(),
            after.id.into(),
            // One more than asked for tells whether there is a next page.
            (i64::from(page.limit) + 1).into(),
        ];
        let mut rows: Vec<Row> = self.connection.query(&sql, values).await?;
        let limit = page.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| Position {
            created_at: Instant::from_micros(last.created_at),
            id: last.id,
        });
        let endpoints = rows.into_iter().map(WebhookEndpoint::try_from);
        Ok((endpoints.collect::<Result<_>>()?, next))
    }
}

impl Write {
    /// Which events of the organization there are.
    pub async fn event_bounds(&self, organization: OrganizationId) -> Result<events::Bounds> {
        events::bounds(&self.transaction, organization).await
    }

    /// Makes an endpoint under an id of [`Write::new_webhook_endpoint_id`].
    /// `None`: the organization has as many as it may. Two that are made at the
    /// same moment on PostgreSQL may both find the last place: the limit is
    /// against carelessness, and one more does no harm.
    pub async fn create_webhook_endpoint(
        &self,
        id: WebhookEndpointId,
        new: NewWebhookEndpoint,
    ) -> Result<Option<WebhookEndpoint>> {
        let sql = format!(
            "INSERT INTO scim_webhook_endpoints (id, organization_id, url, description, \
                 created_at, updated_at, revision, delivered, due_at, failures, resumptions) \
             SELECT $1, $2, $3, $4, $5, $5, 1, $6, $5, 0, 0 \
             WHERE (SELECT count(*) FROM scim_webhook_endpoints WHERE organization_id = $2) < $7 \
             RETURNING {COLUMNS}"
        );
        let values = [
            id.as_uuid().into(),
            new.organization_id.as_uuid().into(),
            new.url.into(),
            new.description.into(),
            self.now.as_micros().into(),
            bound(new.after).into(),
            bound(WEBHOOK_ENDPOINTS).into(),
        ];
        self.one_endpoint(sql, values).await
    }

    /// An id for an endpoint: what is encrypted for it is bound to that.
    #[must_use]
    pub fn new_webhook_endpoint_id(&self) -> WebhookEndpointId {
        WebhookEndpointId::new(self.now, self.random.id_bytes())
    }

    /// Changes the fields that are named. `None`: there is no such endpoint
    /// within `scope`.
    pub async fn update_webhook_endpoint(
        &self,
        scope: Scope,
        id: WebhookEndpointId,
        change: WebhookEndpointChange,
    ) -> Result<Option<WebhookEndpoint>> {
        let sql = format!(
            "UPDATE scim_webhook_endpoints SET {CHANGED}, \
                 url = COALESCE($4, url), description = COALESCE($5, description) \
             WHERE id = $1 AND ($2 IS NULL OR organization_id = $2) RETURNING {COLUMNS}"
        );
        let values = [
            id.as_uuid().into(),
            owner(scope),
            self.now.as_micros().into(),
            change.url.into(),
            change.description.into(),
        ];
        self.one_endpoint(sql, values).await
    }

    /// Stops delivery; an endpoint that is paused already stays as it is. `None`:
    /// there is no such endpoint within `scope`.
    pub async fn pause_webhook_endpoint(
        &self,
        scope: Scope,
        id: WebhookEndpointId,
    ) -> Result<Option<WebhookEndpoint>> {
        let sql = format!(
            "UPDATE scim_webhook_endpoints SET updated_at = $3, revision = revision + 1, \
                 due_at = CASE WHEN lease IS NULL THEN NULL ELSE due_at END, \
                 paused_at = COALESCE(paused_at, $3), pause_reason = COALESCE(pause_reason, $4) \
             WHERE id = $1 AND ($2 IS NULL OR organization_id = $2) RETURNING {COLUMNS}"
        );
        let reason = i64::from(WebhookPause::Requested.number());
        let values =
            [id.as_uuid().into(), owner(scope), self.now.as_micros().into(), reason.into()];
        self.one_endpoint(sql, values).await
    }

    /// Goes on where it stopped, or behind number `after`, as an endpoint that never
    /// failed.
    pub async fn resume_webhook_endpoint(
        &self,
        id: WebhookEndpointId,
        after: Option<u64>,
    ) -> Result<Option<WebhookEndpoint>> {
        let sql = format!(
            "UPDATE scim_webhook_endpoints SET updated_at = $2, revision = revision + 1, \
                 due_at = CASE WHEN lease IS NULL THEN $2 ELSE due_at END, \
                 delivered = COALESCE($3, delivered), \
                 resumptions = CASE WHEN $3 IS NULL THEN resumptions ELSE resumptions + 1 END, \
                 failures = 0, failing_since = NULL, paused_at = NULL, pause_reason = NULL \
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        let values =
            [id.as_uuid().into(), self.now.as_micros().into(), Value::from(after.map(bound))];
        self.one_endpoint(sql, values).await
    }

    /// Locks an endpoint, and says that something about it is different. `None`:
    /// there is no such endpoint within `scope`.
    pub async fn touch_webhook_endpoint(
        &self,
        scope: Scope,
        id: WebhookEndpointId,
    ) -> Result<Option<WebhookEndpoint>> {
        self.update_webhook_endpoint(scope, id, WebhookEndpointChange::default()).await
    }

    /// Removes an endpoint with its secrets. `false`: there is no such endpoint
    /// within `scope`.
    pub async fn delete_webhook_endpoint(
        &self,
        scope: Scope,
        id: WebhookEndpointId,
    ) -> Result<bool> {
        let sql = "DELETE FROM scim_webhook_endpoints \
             WHERE id = $1 AND ($2 IS NULL OR organization_id = $2)";
        let deleted = self.execute(sql, [id.as_uuid().into(), owner(scope)]).await?;
        if deleted > 0 {
            let sql = "DELETE FROM scim_webhook_secrets WHERE endpoint_id = $1";
            self.execute(sql, [id.as_uuid().into()]).await?;
        }
        Ok(deleted > 0)
    }

    async fn one_endpoint<const N: usize>(
        &self,
        sql: String,
        values: [Value; N],
    ) -> Result<Option<WebhookEndpoint>> {
        let rows: Vec<Row> = self.query(sql, values).await?;
        rows.into_iter().next().map(WebhookEndpoint::try_from).transpose()
    }
}

/// Whose an endpoint must be; null: anybody's.
fn owner(scope: Scope) -> Value {
    scope.organization().map(OrganizationId::as_uuid).into()
}

struct Row {
    id: Uuid,
    organization_id: Uuid,
    url: String,
    description: String,
    created_at: i64,
    updated_at: i64,
    delivered: i64,
    due_at: Option<i64>,
    lease: Option<Uuid>,
    failures: i64,
    failing_since: Option<i64>,
    last_success_at: Option<i64>,
    last_failure_at: Option<i64>,
    last_failure_number: Option<i64>,
    last_failure_kind: Option<i64>,
    last_failure_status: Option<i64>,
    paused_at: Option<i64>,
    pause_reason: Option<i64>,
}

from_row!(Row {
    id,
    organization_id,
    url,
    description,
    created_at,
    updated_at,
    delivered,
    due_at,
    lease,
    failures,
    failing_since,
    last_success_at,
    last_failure_at,
    last_failure_number,
    last_failure_kind,
    last_failure_status,
    paused_at,
    pause_reason,
});

impl TryFrom<Row> for WebhookEndpoint {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let at = |micros: Option<i64>| micros.map(Instant::from_micros);
        let waits = row.lease.is_none() && row.failures > 0;
        let delivery = WebhookDelivery {
            delivered: number(row.delivered)?,
            last_success_at: at(row.last_success_at),
            last_failure: row.last_failure()?,
            failing_since: at(row.failing_since),
            next_attempt_at: at(row.due_at.filter(|_| waits)),
            pause: row.pause()?,
        };
        Ok(Self {
            id: row.id.into(),
            organization_id: row.organization_id.into(),
            url: row.url,
            description: row.description,
            created_at: Instant::from_micros(row.created_at),
            updated_at: Instant::from_micros(row.updated_at),
            delivery,
        })
    }
}

impl Row {
    fn last_failure(&self) -> Result<Option<WebhookFailure>> {
        let Some(at) = self.last_failure_at else { return Ok(None) };
        let kind = self.last_failure_kind.and_then(WebhookFailureKind::from_number);
        Ok(Some(WebhookFailure {
            at: Instant::from_micros(at),
            number: number(self.last_failure_number.unwrap_or_default())?,
            kind: kind.ok_or(Error::Corrupt("scim_webhook_endpoints.last_failure_kind"))?,
            status: self.last_failure_status.and_then(|status| u16::try_from(status).ok()),
        }))
    }

    fn pause(&self) -> Result<Option<(Instant, WebhookPause)>> {
        let Some(at) = self.paused_at else { return Ok(None) };
        let reason = self.pause_reason.and_then(WebhookPause::from_number);
        let reason = reason.ok_or(Error::Corrupt("scim_webhook_endpoints.pause_reason"))?;
        Ok(Some((Instant::from_micros(at), reason)))
    }
}
