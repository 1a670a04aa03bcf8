//! Whose feeds have grown through this process, for who sends them on: to look at
//! every feed that nothing happened in would cost more with each of them.
//!
//! Only who follows the news has them kept. They say where to look and are not
//! the truth: a process that is killed takes them with it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use super::Repository;
use crate::model::OrganizationId;

/// What happened since somebody last asked.
#[derive(Default)]
pub(super) struct Board {
    is_followed: AtomicBool,
    /// Organizations, or configurations of theirs.
    feeds: Mutex<HashSet<Uuid>>,
    told: Notify,
}

impl Board {
    pub fn is_followed(&self) -> bool {
        self.is_followed.load(Ordering::Relaxed)
    }

    pub fn tell(&self, feeds: impl IntoIterator<Item = Uuid>) {
        let mut known = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.len();
        known.extend(feeds);
        if known.len() > before {
            self.told.notify_one();
        }
    }
}

/// The news, for one who follows them.
#[derive(Clone)]
pub struct News(Arc<Board>);

impl Repository {
    /// The news from now on.
    #[must_use]
    pub fn news(&self) -> News {
        self.board.is_followed.store(true, Ordering::Relaxed);
        News(Arc::clone(&self.board))
    }
}

impl News {
    /// Waits until there are some.
    pub async fn told(&self) {
        self.0.told.notified().await;
    }

    /// Takes at most `limit`: ids of organizations or of their configurations.
    #[must_use]
    pub fn take(&self, limit: usize) -> Vec<Uuid> {
        let mut feeds = self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let taken: Vec<_> = feeds.iter().copied().take(limit).collect();
        for feed in &taken {
            feeds.remove(feed);
        }
        if !feeds.is_empty() {
            self.0.told.notify_one();
        }
        taken
    }

    /// Has an organization looked at once more.
    pub fn tell(&self, organization: OrganizationId) {
        self.0.tell([organization.as_uuid()]);
    }

    /// Puts back what was taken and not seen to.
    pub fn tell_again(&self, feeds: impl IntoIterator<Item = Uuid>) {
        self.0.tell(feeds);
    }
}
