//! Telling that a user was not linked to an account, and not again each time
//! that its identity provider tries.

use uuid::Uuid;

use super::connection::from_row;
use super::{Read, Repository, Result, Write};
use crate::model::{ConfigurationId, LinkRefusal, fold};

/// How long, in microseconds, the same refusal is told once: a day. Identity
/// providers try again every 40 minutes or so.
const TOLD_ONCE_IN: i64 = 24 * 60 * 60 * 1_000_000;
/// How many refusals that may be told again are forgotten with each new one.
const FORGOTTEN_AT_ONCE: i64 = 100;

impl Repository {
    /// Tells in the feed that a user was not linked, unless the same has been
    /// told less than a day ago. To be called when the transaction that would have
    /// linked the user is over.
    pub async fn tell_link_refused(
        &self,
        configuration: ConfigurationId,
        refusal: &LinkRefusal,
    ) -> Result<()> {
        let key = fold(&refusal.user_name);
        let told = self.read().told_refusal(configuration, &key).await?;
        let is_told = told.is_some_and(|told| {
            told.account_id == refusal.account.as_uuid()
                && told.reason == i64::from(refusal.reason.number())
                && told.at > self.now().as_micros() - TOLD_ONCE_IN
        });
        // Most are told already: they keep nobody who writes waiting.
        if is_told {
            return Ok(());
        }
        let tx = self.write().await?;
        if tx.note_refusal(configuration, &key, refusal).await? {
            tx.record_refused(configuration, refusal);
            tx.commit().await?;
        }
        Ok(())
    }
}

impl Read {
    async fn told_refusal(
        &self,
        configuration: ConfigurationId,
        user_name_key: &str,
    ) -> Result<Option<Told>> {
        const SQL: &str = "SELECT account_id, reason, told_at FROM scim_link_refusals \
             WHERE configuration_id = $1 AND user_name_key = $2";
        self.query_one(SQL, [configuration.as_uuid().into(), user_name_key.into()]).await
    }
}

impl Write {
    /// `false`: another has told the same meanwhile.
    async fn note_refusal(
        &self,
        configuration: ConfigurationId,
        user_name_key: &str,
        refusal: &LinkRefusal,
    ) -> Result<bool> {
        const FORGET: &str = "DELETE FROM scim_link_refusals \
             WHERE configuration_id = $1 AND user_name_key IN \
                 (SELECT user_name_key FROM scim_link_refusals \
                  WHERE configuration_id = $1 AND told_at <= $2 LIMIT $3)";
        const NOTE: &str = "INSERT INTO scim_link_refusals \
                 (configuration_id, user_name_key, account_id, reason, told_at) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (configuration_id, user_name_key) DO UPDATE \
             SET account_id = excluded.account_id, reason = excluded.reason, \
                 told_at = excluded.told_at \
             WHERE scim_link_refusals.account_id <> excluded.account_id \
                 OR scim_link_refusals.reason <> excluded.reason";
        let now = self.now.as_micros();
        let outdated = now - TOLD_ONCE_IN;
        // So that only what was told lately is in the way of the note.
        self.execute(
            "DELETE FROM scim_link_refusals \
             WHERE configuration_id = $1 AND user_name_key = $2 AND told_at <= $3",
            [configuration.as_uuid().into(), user_name_key.into(), outdated.into()],
        )
        .await?;
        let forgotten = [configuration.as_uuid().into(), outdated.into(), FORGOTTEN_AT_ONCE.into()];
        self.execute(FORGET, forgotten).await?;
        let values = [
            configuration.as_uuid().into(),
            user_name_key.into(),
            refusal.account.as_uuid().into(),
            i64::from(refusal.reason.number()).into(),
            now.into(),
        ];
        Ok(self.execute(NOTE, values).await? > 0)
    }
}

struct Told {
    account_id: Uuid,
    reason: i64,
    at: i64,
}

from_row!(Told { account_id, reason, at });
