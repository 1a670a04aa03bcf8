//! A configuration as the change feed has it, written and read, without what is
//! in columns.

use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::model::{Configuration, ConfigurationId, Instant, OrganizationId};

#[derive(Serialize, Deserialize)]
struct State {
    name: String,
    enabled: bool,
    sso: Option<String>,
    allow_unverified: bool,
    token_expires_at: i64,
    updated_at: i64,
}

pub(super) fn written(configuration: &Configuration) -> String {
    let state = State {
        name: configuration.name.clone(),
        enabled: configuration.enabled,
        sso: configuration.sso_configuration_id.map(|id| id.to_string()),
        allow_unverified: configuration.allow_unverified_email_account_linking,
        token_expires_at: configuration.token_expires_at.as_micros(),
        updated_at: configuration.updated_at.as_micros(),
    };
    serde_json::to_string(&state).expect("a struct of plain values has a JSON form")
}

/// Reads what [`written`] wrote.
pub(super) fn read(
    state: &str,
    id: ConfigurationId,
    organization: OrganizationId,
    created_at: i64,
) -> Result<Configuration> {
    let stored: State =
        serde_json::from_str(state).map_err(|_| Error::Corrupt("the state of a configuration"))?;
    Ok(Configuration {
        id,
        organization_id: organization,
        name: stored.name,
        enabled: stored.enabled,
        sso_configuration_id: stored.sso.and_then(|id| id.parse().ok()),
        allow_unverified_email_account_linking: stored.allow_unverified,
        token_expires_at: Instant::from_micros(stored.token_expires_at),
        created_at: Instant::from_micros(created_at),
        updated_at: Instant::from_micros(stored.updated_at),
    })
}
