//! Whose turn it is to deliver to a webhook endpoint.
//!
//! One column says when to look at an endpoint next. Who takes the lease moves it
//! to the lease's end, so that nobody else finds the endpoint until then, and
//! whoever comes by does when the holder is gone. Who is done leaves there when
//! to try again, or nothing: then the next event of the organization is the
//! reason to look. Nothing is looked at for being there.

use sea_orm::Value;
use uuid::Uuid;

use super::connection::{Rows, from_row};
use super::events::{bound, number};
use super::{Read, Result, Write};
use crate::model::{Instant, OrganizationId, WebhookEndpointId, WebhookFailure, WebhookPause};

/// How many ids one statement takes. It always takes as many, so that it is
/// prepared once.
pub const WEBHOOKS_AT_ONCE: usize = 32;

/// The right to deliver to an endpoint, with what is needed for it.
#[derive(Clone, Debug)]
pub struct WebhookLease {
    /// The endpoint.
    pub endpoint: WebhookEndpointId,
    /// Whose events it gets.
    pub organization: OrganizationId,
    /// Where requests are sent.
    pub url: String,
    /// The number of the newest event that was taken when the lease was.
    pub delivered: u64,
    /// How many attempts failed, one after the other.
    pub failures: u32,
    /// Since when.
    pub failing_since: Option<Instant>,
    lease: Uuid,
    revision: i64,
    resumptions: i64,
}

/// How far a delivery came, and how it goes on.
#[derive(Clone, Copy, Debug)]
pub struct WebhookProgress {
    /// The number of the newest event that was taken.
    pub delivered: u64,
    /// When that was, if one was.
    pub succeeded_at: Option<Instant>,
    /// The attempt that failed behind it, if one did.
    pub failure: Option<WebhookFailure>,
    /// What comes now.
    pub next: WebhookNext,
}

/// How a delivery goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookNext {
    /// With the next event; the lease is held until then.
    Hold(Instant),
    /// By whoever comes by after this instant.
    At(Instant),
    /// When there is a next event.
    News,
    /// When somebody resumes it.
    Pause(WebhookPause),
}

impl Read {
    /// Endpoints that are due at `now`, at most `limit`, those first that have
    /// been for longest: such as failed before, or such as did not.
    pub async fn due_webhooks(
        &self,
        now: Instant,
        failed_before: bool,
        limit: usize,
    ) -> Result<Vec<WebhookEndpointId>> {
        let failures = if failed_before { "failures > 0" } else { "failures = 0" };
        let sql = format!(
            "SELECT id FROM scim_webhook_endpoints \
             WHERE {failures} AND paused_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ids: Vec<Uuid> =
            self.connection.query(&sql, [now.as_micros().into(), limit.into()]).await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Endpoints that wait for news, and whose organizations have some: of the
    /// organizations and configurations in `feeds`, of which there are at most
    /// [`WEBHOOKS_AT_ONCE`].
    pub async fn webhooks_with_news(&self, feeds: &[Uuid]) -> Result<Vec<WebhookEndpointId>> {
        let Some(values) = padded(feeds) else { return Ok(Vec::new()) };
        let ids = places(1);
        let sql = format!(
            "SELECT endpoint.id FROM scim_webhook_endpoints AS endpoint \
             JOIN scim_feeds AS feed ON feed.organization_id = endpoint.organization_id \
             WHERE endpoint.organization_id IN \
                     (SELECT organization_id FROM scim_configurations WHERE id IN ({ids}) \
                      UNION SELECT organization_id FROM scim_feeds \
                            WHERE organization_id IN ({ids})) \
                 AND endpoint.due_at IS NULL AND endpoint.paused_at IS NULL \
                 AND endpoint.delivered < feed.newest"
        );
        let ids: Vec<Uuid> = self.connection.query(&sql, values).await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// The next endpoints in order of their ids, at most `limit`, each with
    /// whether it waits for news that are there already.
    pub async fn sweep_webhooks(
        &self,
        after: Option<WebhookEndpointId>,
        limit: usize,
    ) -> Result<Vec<(WebhookEndpointId, bool)>> {
        // As a question for each row: joined, PostgreSQL would read every feed.
        const SQL: &str = "SELECT id, due_at IS NULL AND paused_at IS NULL AND delivered < \
                 COALESCE((SELECT newest FROM scim_feeds AS feed \
                           WHERE feed.organization_id = endpoint.organization_id), 0) AS is_behind \
             FROM scim_webhook_endpoints AS endpoint WHERE id > $1 ORDER BY id LIMIT $2";
        let after = after.map_or(Uuid::nil(), WebhookEndpointId::as_uuid);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<Swept> = self.connection.query(SQL, [after.into(), limit.into()]).await?;
        Ok(rows.into_iter().map(|row| (row.id.into(), row.is_behind)).collect())
    }
}

impl Write {
    /// Takes, until `until`, the leases of those of `endpoints` that are nobody's:
    /// at most [`WEBHOOKS_AT_ONCE`].
    pub async fn lease_webhooks(
        &self,
        endpoints: &[WebhookEndpointId],
        until: Instant,
    ) -> Result<Vec<WebhookLease>> {
        let ids: Vec<_> = endpoints.iter().map(|endpoint| endpoint.as_uuid()).collect();
        let Some(ids) = padded(&ids) else { return Ok(Vec::new()) };
        // Whoever locks a row takes its lease or changes it, and then sees to
        // what is left.
        let sql = format!(
            "UPDATE scim_webhook_endpoints SET lease = $1, due_at = $2 \
             WHERE id IN (SELECT id FROM scim_webhook_endpoints \
                          WHERE id IN ({}) AND paused_at IS NULL \
                              AND (due_at IS NULL OR due_at <= $3) {}) \
             RETURNING id, organization_id, url, delivered, failures, failing_since, revision, \
                 resumptions",
            places(4),
            self.on_postgres("FOR UPDATE SKIP LOCKED")
        );
        let lease = uuid::Builder::from_unix_timestamp_millis(
            self.now.as_unix_millis(),
            &self.random.id_bytes(),
        );
        let lease = lease.into_uuid();
        let mut values: Vec<Value> =
            vec![lease.into(), until.as_micros().into(), self.now.as_micros().into()];
        values.extend(ids);
        let values: [Value; 3 + WEBHOOKS_AT_ONCE] =
            values.try_into().expect("they are padded to as many");
        let rows: Vec<Row> = self.query(sql, values).await?;
        rows.into_iter().map(|row| row.leased(lease)).collect()
    }

    /// Makes those of `endpoints` due that wait for news: at most
    /// [`WEBHOOKS_AT_ONCE`].
    pub async fn queue_webhooks(&self, endpoints: &[WebhookEndpointId]) -> Result<()> {
        let ids: Vec<_> = endpoints.iter().map(|endpoint| endpoint.as_uuid()).collect();
        let Some(ids) = padded(&ids) else { return Ok(()) };
        let sql = format!(
            "UPDATE scim_webhook_endpoints SET due_at = $1 \
             WHERE id IN (SELECT id FROM scim_webhook_endpoints \
                          WHERE id IN ({}) AND paused_at IS NULL AND due_at IS NULL {})",
            places(2),
            self.on_postgres("FOR UPDATE SKIP LOCKED")
        );
        let now = Value::from(self.now.as_micros());
        self.execute(sql, [now].into_iter().chain(ids)).await?;
        Ok(())
    }

    /// Writes down how far a delivery came. `false`: it is over, because somebody
    /// else has the lease or the endpoint was changed or removed; then whoever
    /// comes by goes on, with what is new.
    pub async fn settle_webhook(
        &self,
        lease: &mut WebhookLease,
        progress: WebhookProgress,
    ) -> Result<bool> {
        // What was taken stays taken unless somebody said where to go on; what
        // comes next is decided anew where somebody changed something.
        const SQL: &str = "UPDATE scim_webhook_endpoints SET \
                 delivered = CASE WHEN resumptions = $4 THEN $5 ELSE delivered END, \
                 last_success_at = COALESCE($6, last_success_at), \
                 last_failure_at = COALESCE($7, last_failure_at), \
                 last_failure_number = COALESCE($8, last_failure_number), \
                 last_failure_kind = COALESCE($9, last_failure_kind), \
                 last_failure_status = CASE WHEN $7 IS NULL THEN last_failure_status ELSE $10 END, \
                 failures = CASE WHEN revision = $3 THEN $11 ELSE failures END, \
                 failing_since = CASE WHEN revision = $3 THEN $12 ELSE failing_since END, \
                 due_at = CASE WHEN revision = $3 THEN $13 WHEN paused_at IS NULL THEN $14 END, \
                 lease = CASE WHEN revision = $3 THEN $15 END, \
                 paused_at = CASE WHEN revision = $3 THEN $16 ELSE paused_at END, \
                 pause_reason = CASE WHEN revision = $3 THEN $17 ELSE pause_reason END \
             WHERE id = $1 AND lease = $2 RETURNING revision";
        let (failures, failing_since) = lease.failures_after(&progress);
        let (due_at, held, pause) = match progress.next {
            WebhookNext::Hold(until) => (Some(until), Some(lease.lease), None),
            WebhookNext::At(at) => (Some(at), None, None),
            WebhookNext::News => (None, None, None),
            WebhookNext::Pause(reason) => (None, None, Some(reason)),
        };
        let micros = |at: Option<Instant>| Value::from(at.map(Instant::as_micros));
        let failure = progress.failure;
        let values = [
            lease.endpoint.as_uuid().into(),
            lease.lease.into(),
            lease.revision.into(),
            lease.resumptions.into(),
            bound(progress.delivered).into(),
            micros(progress.succeeded_at),
            micros(failure.map(|failure| failure.at)),
            failure.map(|failure| bound(failure.number)).into(),
            failure.map(|failure| i64::from(failure.kind.number())).into(),
            failure.and_then(|failure| failure.status).map(i64::from).into(),
            i64::from(failures).into(),
            micros(failing_since),
            micros(due_at),
            self.now.as_micros().into(),
            held.into(),
            micros(pause.map(|_| self.now)),
            pause.map(|reason| i64::from(reason.number())).into(),
        ];
        let revisions: Vec<i64> = self.query(SQL, values).await?;
        (lease.failures, lease.failing_since) = (failures, failing_since);
        Ok(revisions.contains(&lease.revision))
    }
}

impl WebhookLease {
    /// How many attempts will have failed by then, one after the other, and since
    /// when.
    #[must_use]
    pub fn failures_after(&self, progress: &WebhookProgress) -> (u32, Option<Instant>) {
        match (progress.succeeded_at, progress.failure) {
            (None, None) => (self.failures, self.failing_since),
            (Some(_), None) => (0, None),
            (Some(_), Some(failure)) => (1, Some(failure.at)),
            (None, Some(failure)) => {
                (self.failures.saturating_add(1), self.failing_since.or(Some(failure.at)))
            }
        }
    }
}

/// As many values as a statement takes: the last id as often as it needs. `None`:
/// there is no id.
fn padded(ids: &[Uuid]) -> Option<[Value; WEBHOOKS_AT_ONCE]> {
    let last = *ids.last()?;
    Some(std::array::from_fn(|at| ids.get(at).copied().unwrap_or(last).into()))
}

/// The places of so many values, from `$first` on.
fn places(first: usize) -> String {
    let places = (first..first + WEBHOOKS_AT_ONCE).map(|place| format!("${place}"));
    places.collect::<Vec<_>>().join(", ")
}

struct Swept {
    id: Uuid,
    is_behind: bool,
}

from_row!(Swept { id, is_behind });

struct Row {
    id: Uuid,
    organization_id: Uuid,
    url: String,
    delivered: i64,
    failures: i64,
    failing_since: Option<i64>,
    revision: i64,
    resumptions: i64,
}

from_row!(Row {
    id,
    organization_id,
    url,
    delivered,
    failures,
    failing_since,
    revision,
    resumptions,
});

impl Row {
    fn leased(self, lease: Uuid) -> Result<WebhookLease> {
        Ok(WebhookLease {
            endpoint: self.id.into(),
            organization: self.organization_id.into(),
            url: self.url,
            delivered: number(self.delivered)?,
            failures: u32::try_from(self.failures).unwrap_or(u32::MAX),
            failing_since: self.failing_since.map(Instant::from_micros),
            lease,
            revision: self.revision,
            resumptions: self.resumptions,
        })
    }
}
