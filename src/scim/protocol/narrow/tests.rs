//! That the store finds at least whom the filter means.

use proptest::prelude::*;
use uuid::Uuid;

use super::super::filter::Filter;
use super::super::schema::{GROUP, USER};
use super::super::testing::{NOON, Person, expr, people};
use super::{Narrowed, narrow};
use crate::model::{Comparison, Condition, Instant};

fn of_users(text: &str) -> Narrowed {
    narrow(&Filter::parse(text, &USER).expect(text), &USER)
}

fn of_groups(text: &str) -> Narrowed {
    narrow(&Filter::parse(text, &GROUP).expect(text), &GROUP)
}

/// What the store is asked, asked of one person.
fn holds(condition: &Condition, person: &Person) -> bool {
    let compared = |comparison: Comparison, found: Instant, wanted: Instant| match comparison {
        Comparison::Equal => found == wanted,
        Comparison::Greater => found > wanted,
        Comparison::GreaterOrEqual => found >= wanted,
        Comparison::Less => found < wanted,
        Comparison::LessOrEqual => found <= wanted,
    };
    let content = &person.content;
    match condition {
        Condition::All => true,
        Condition::Nothing | Condition::Member(_) => false,
        Condition::And(all) => all.iter().all(|one| holds(one, person)),
        Condition::Or(any) => any.iter().any(|one| holds(one, person)),
        Condition::Id(id) => person.id == *id,
        Condition::UserName(key) => content.user_name_key == *key,
        Condition::ExternalId(text) => content.external_id.as_ref() == Some(text),
        Condition::DisplayName(key) => content.display_name_key.as_ref() == Some(key),
        Condition::Email(key) => content.email_keys.contains(key),
        Condition::Active(flag) => content.active == *flag,
        Condition::Created(how, at) => compared(*how, person.created, *at),
        Condition::LastModified(how, at) => compared(*how, person.modified, *at),
        Condition::MemberOf(group) => person.groups.contains(group),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_condition_holds_wherever_the_filter_does_and_nowhere_else_where_it_is_exact(
        expr in expr(),
        people in proptest::collection::vec(people(), 1..6),
    ) {
        let text = expr.text();
        let filter = Filter::parse(&text, &USER).expect("a filter");
        let narrowed = narrow(&filter, &USER);
        for person in people {
            let (meant, found) = (filter.matches(&person.resource), holds(&narrowed.condition, &person));
            prop_assert!(found || !meant, "{} lost {:?}", text, person);
            prop_assert!(!narrowed.exact || meant == found, "{} is not exact: {:?}", text, person);
        }
    }
}

#[test]
fn what_identity_providers_search_by_is_answered_by_indexes_alone() {
    let id = Uuid::from_u128(7);
    for (text, condition) in [
        ("userName eq \"U@X\"".to_owned(), Condition::UserName("u@x".into())),
        ("externalId eq jyoung".to_owned(), Condition::ExternalId("jyoung".into())),
        ("emails.value eq \"A@b\"".to_owned(), Condition::Email("a@b".into())),
        ("emails eq \"a@b\"".to_owned(), Condition::Email("a@b".into())),
        ("emails[value eq \"a@b\"]".to_owned(), Condition::Email("a@b".into())),
        ("displayName eq \"Ä\"".to_owned(), Condition::DisplayName("ä".into())),
        ("active eq \"True\"".to_owned(), Condition::Active(true)),
        ("active ne true".to_owned(), Condition::Active(false)),
        (format!("id eq \"{id}\""), Condition::Id(id)),
        (format!("groups.value eq \"{id}\""), Condition::MemberOf(id)),
        ("id eq \"no id\"".to_owned(), Condition::Nothing),
        ("id pr".to_owned(), Condition::All),
    ] {
        assert_eq!(of_users(&text), Narrowed { condition, exact: true }, "{text}");
    }
    let narrowed = of_groups(&format!("id eq \"{id}\" and members eq \"{id}\""));
    assert_eq!(narrowed.condition, Condition::And(vec![Condition::Id(id), Condition::Member(id)]));
    assert!(narrowed.exact);
}

#[test]
fn a_part_that_no_index_answers_narrows_no_further_and_is_not_exact() {
    let by_name = Condition::UserName("a".into());
    let narrowed = of_users("userName eq \"a\" and title co \"b\"");
    assert_eq!(narrowed, Narrowed { condition: by_name, exact: false });
    let by_email = Condition::Email("a".into());
    let narrowed = of_users("emails[type eq \"work\"].value eq \"a\"");
    assert_eq!(narrowed, Narrowed { condition: by_email, exact: false });
    for text in [
        "userName eq \"a\" or title co \"b\"",
        "not (userName eq \"a\")",
        "userName ne \"a\"",
        "title eq \"a\"",
        "manager eq \"a\"",
        "emails.type eq \"work\"",
        "displayName eq null",
    ] {
        assert_eq!(of_users(text), Narrowed { condition: Condition::All, exact: false }, "{text}");
    }
}

#[test]
fn a_time_between_two_microseconds_divides_them_as_it_does_itself() {
    let created = |comparison, micros| Narrowed {
        condition: Condition::Created(comparison, Instant::from_micros(micros)),
        exact: true,
    };
    let between = "\"2026-11-23T20:15:00.0000005Z\"";
    for (operator, narrowed) in [
        ("gt", created(Comparison::Greater, NOON)),
        ("ge", created(Comparison::GreaterOrEqual, NOON + 1)),
        ("lt", created(Comparison::Less, NOON + 1)),
        ("le", created(Comparison::LessOrEqual, NOON)),
        ("eq", Narrowed { condition: Condition::Nothing, exact: true }),
    ] {
        assert_eq!(of_users(&format!("meta.created {operator} {between}")), narrowed, "{operator}");
    }
}
