//! Accounts, without a door before them.

use scimd::model::{
    ConfigurationChange, EventKind, Link, LinkReason, PrimaryEmail, Scope, State, UserContent,
};

use super::events::{events, organization_of};
use super::{configuration, done, named};
use crate::harness::{TestServer, on_both_engines};

/// More than one transaction unlinks.
const USERS: usize = 1_100;

on_both_engines! {
    async fn an_account_of_many_users_is_removed_a_part_at_a_time(server: TestServer) {
        let store = &server.repository;
        let at = configuration(store).await;
        let organization = organization_of(store, at).await;
        let tx = store.write().await.unwrap();
        let allow = ConfigurationChange { allow_unverified_email_account_linking: Some(true), ..Default::default() };
        tx.update_configuration(Scope::Platform, at, allow).await.unwrap();
        let mut accounts = Vec::new();
        for number in 0..USERS {
            let content = UserContent {
                primary_email: Some(PrimaryEmail { text: "office@x".to_owned(), verified: false }),
                ..named(&format!("user{number}"))
            };
            accounts.push(done(tx.create_user(at, None, content).await.unwrap()).link.account.unwrap());
        }
        tx.commit().await.unwrap();
        accounts.dedup();
        let [account] = accounts[..] else { panic!("{accounts:?}") };
        let bounds = store.read().event_bounds(organization).await.unwrap();

        assert!(store.delete_account(organization, account).await.unwrap());
        let told = events(store, organization, bounds.newest).await;
        assert_eq!(told.len(), USERS + 1);
        assert_eq!(told.iter().filter(|event| event.ends_transaction).count(), 3);
        assert_eq!(told[USERS].kind, EventKind::AccountDeleted);
        let none = Link { account: None, reason: Some(LinkReason::AccountDeleted) };
        assert!(told[..USERS].iter().all(|event| event.state == State::Link(none, None)));
        assert!(!store.delete_account(organization, account).await.unwrap());
    }
}
