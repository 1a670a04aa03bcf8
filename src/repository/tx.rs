//! The two handles through which everything is read and written. Their methods
//! stand beside the tables that they are about.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, DatabaseTransaction};

use super::Result;
use crate::clock::Random;
use crate::model::Instant;

/// Reads. Each method is one statement and sees what was committed when it ran.
#[derive(Clone, Debug)]
pub struct Read {
    pub(super) connection: DatabaseConnection,
}

/// A transaction that may write. Dropped without [`Write::commit`], it is
/// rolled back.
///
/// An error of a method means that the transaction is lost: PostgreSQL answers
/// `COMMIT` after a failed statement with success and rolls back.
pub struct Write {
    pub(super) transaction: DatabaseTransaction,
    pub(super) now: Instant,
    pub(super) random: Arc<dyn Random>,
}

impl Write {
    /// The one instant of this transaction: whatever it writes happened then.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// What makes a new id unlike all others of its millisecond.
    pub(super) fn random_bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        bytes
    }

    /// Makes everything written durable, or nothing.
    pub async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}
