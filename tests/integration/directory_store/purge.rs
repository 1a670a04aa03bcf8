//! What is left of deleted configurations.

use std::sync::Arc;

use scimd::clock::{SystemClock, SystemRandom};
use scimd::model::{Condition, ConfigurationId, MemberId, ResourceKind};
use scimd::repository::Repository;

use super::{
    EVERYTHING, UserContent, configuration, create, create_group, delete_configuration, named,
};
use crate::harness::{TestDatabase, databases};

/// Rows of 20 users with an email each, and of two groups of all of them.
const ROWS: u64 = 20 + 20 + 2 + 2 * 20;

async fn provision(repository: &Repository, configuration: ConfigurationId) {
    let mut members = Vec::new();
    for number in 0..20 {
        let name = format!("user{number}");
        let content = UserContent { email_keys: vec![name.clone()], ..named(&name) };
        members.push(MemberId::User(create(repository, configuration, content).await.id));
    }
    for name in ["one", "two"] {
        create_group(repository, configuration, name, members.clone()).await;
    }
}

/// Databases without a server, which would purge them by itself.
async fn repositories() -> Vec<(TestDatabase, Repository)> {
    let mut repositories = Vec::new();
    for database in databases().await {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let repository = Repository::open(&database.url, clock, random).await.unwrap();
        repository.migrate().await.unwrap();
        repositories.push((database, repository));
    }
    repositories
}

#[tokio::test]
async fn a_deleted_configuration_is_purged_in_batches_and_no_other_is_touched() {
    for (_database, repository) in &repositories().await {
        let (deleted, kept) = (configuration(repository).await, configuration(repository).await);
        provision(repository, deleted).await;
        provision(repository, kept).await;
        assert!(!repository.purge_once().await.unwrap());
        delete_configuration(repository, deleted).await;

        let batch = 7;
        let mut batches = 0;
        loop {
            let tx = repository.write().await.unwrap();
            let more = tx.purge_batch(batch).await.unwrap();
            tx.commit().await.unwrap();
            if !more {
                break;
            }
            batches += 1;
        }
        // The last batch is not full, and takes the note away.
        assert_eq!(batches, ROWS / batch + 1);
        let read = repository.read();
        assert!(read.users(deleted, &Condition::All, EVERYTHING).await.unwrap().is_empty());
        assert!(read.groups(deleted, &Condition::All, EVERYTHING).await.unwrap().is_empty());
        assert_eq!(read.count(ResourceKind::User, deleted, &Condition::All).await.unwrap(), 0);
        assert_eq!(read.users(kept, &Condition::All, EVERYTHING).await.unwrap().len(), 20);
        let email = Condition::Email("user7".to_owned());
        assert_eq!(read.count(ResourceKind::User, kept, &email).await.unwrap(), 1);
        for group in read.groups(kept, &Condition::All, EVERYTHING).await.unwrap() {
            assert_eq!(read.members(kept, group.id, None, 100).await.unwrap().len(), 20);
        }
    }
}

#[tokio::test]
async fn configurations_deleted_one_after_the_other_are_all_purged() {
    for (_database, repository) in &repositories().await {
        for _ in 0..3 {
            let configuration = configuration(repository).await;
            provision(repository, configuration).await;
            delete_configuration(repository, configuration).await;
        }
        let mut rounds = 0;
        while repository.purge_once().await.unwrap() {
            rounds += 1;
        }
        assert_eq!(rounds, 3);
    }
}
