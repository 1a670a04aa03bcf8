//! Random sequences of operations.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::super::super::resource;
use super::super::super::schema::{GROUP, USER};
use super::super::super::testing::{ENTERPRISE, body, object, word};
use super::super::{apply, operations};
use super::model::{Model, Step, steps};
use super::{patch, stored, text};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_sequence_of_operations_comes_to_what_a_naive_model_comes_to(steps in steps()) {
        let mut model = Model::default();
        let mut document = stored(&model.to_json());
        // In one request, and one after the other.
        let list: Vec<_> = steps.iter().map(Step::to_json).collect();
        let at_once = patch(&document, &json!(list));
        for (step, operation) in steps.iter().zip(&list) {
            model.apply(step);
            document = patch(&document, &json!([operation]))
                .map_err(|fault| TestCaseError::fail(format!("{operation}: {fault}")))?;
            prop_assert_eq!(Value::Object(document.clone()), model.to_json(), "{}", operation);
        }
        prop_assert_eq!(at_once, Ok(document));
    }

    #[test]
    fn an_operation_done_again_changes_nothing(steps in steps()) {
        let mut document = stored(&Model::default().to_json());
        for step in steps {
            let list = json!([step.to_json()]);
            document = patch(&document, &list).expect("a patch");
            let again = patch(&document, &list).expect("a patch");
            prop_assert_eq!(text(&again), text(&document), "{}", list);
        }
    }

    #[test]
    fn whatever_the_operations_are_a_document_stays_as_documents_are_stored(
        body in body(),
        list in proptest::collection::vec(operation(), 1..4),
    ) {
        // What is stored is what a PUT of it would store, or there is a fault.
        let list = Value::Array(list);
        if let Ok(document) = patch(&stored(&body), &list) {
            let again = resource::incoming(&Value::Object(document.clone()), &USER);
            prop_assert_eq!(again.map(|it| it.document), Ok(document.clone()), "{}", list);
            prop_assert!(!document.contains_key("password"));
        }
    }

    #[test]
    fn any_operation_that_can_be_done_again_changes_nothing(body in body(), operation in operation()) {
        prop_assume!(!names_one_twice(&operation["value"]));
        let list = json!([operation]);
        if let Ok(once) = patch(&stored(&body), &list)
            && let Ok(twice) = patch(&once, &list)
        {
            prop_assert_eq!(text(&twice), text(&once), "{}", list);
        }
    }

    #[test]
    fn no_json_makes_a_patch_panic(list in json()) {
        for of in [&USER, &GROUP] {
            for body in [json!({ "Operations": list }), list.clone()] {
                if let Ok(operations) = operations(&body, of) {
                    let mut document = object(json!({ "userName": "u", "displayName": "G" }));
                    drop(apply(&mut document, &operations, of));
                }
            }
        }
    }
}

fn path() -> impl Strategy<Value = String> {
    let fixed = vec![
        "title",
        "active",
        "name",
        "name.givenName",
        "name.foo",
        "emails",
        "emails.value",
        "emails.foo",
        "emails.primary",
        "emails[type eq \"work\"]",
        "emails[type eq \"work\"].value",
        "emails[value pr]",
        "emails[primary eq true].primary",
        "name[givenName pr]",
        "manager",
        "manager.value",
        "manager[value eq \"a\"]",
        "foo",
        "foo.bar",
        "urn:x:y:z",
        "urn:x:y:z.b",
        "urn:x:y",
        "id",
        "schemas",
        "members",
        "password",
        "groups",
        "meta.created",
        "addresses",
        "photos[value eq \"a]b\"].type",
        "",
        "]",
        "emails[",
        "x509Certificates",
        "profileUrl",
        "FOO",
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "not a name",
        "urn:ietf:params:scim:schemas:core:2.0:User:title",
    ];
    prop_oneof![
        6 => select(fixed).prop_map(str::to_owned),
        1 => Just(ENTERPRISE.to_owned()),
        1 => select(vec!["manager", "foo", "department", "manager.foo", "a b"])
            .prop_map(|name| format!("{ENTERPRISE}:{name}")),
    ]
}

/// Whether an attribute is named both as a whole and in part, such as `emails` and
/// `emails.value`: done again, the part is one of what the whole has added.
fn names_one_twice(value: &Value) -> bool {
    let attribute = |name: &String| {
        let within_its_schema = name.rsplit(':').next().unwrap_or_default();
        within_its_schema.split(['.', '[']).next().unwrap_or_default().to_lowercase()
    };
    let Some(entries) = value.as_object() else { return false };
    let names: BTreeSet<_> = entries.keys().map(attribute).collect();
    names.len() < entries.len()
}

/// Values of all shapes, with names that mean something.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
        select(vec!["true", "add", "Replace", "REMOVE", "019a0000-0000-7000-8000-00000000000a"])
            .prop_map(Value::from),
        path().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = prop_oneof![
            2 => path(),
            2 => select(vec!["op", "path", "value", "Operations", "type", "primary", "givenName", "$ref"])
                .prop_map(str::to_owned),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((names, inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn operation() -> impl Strategy<Value = Value> {
    let element = json!([{ "value": "a", "type": "work", "primary": "True" }, { "value": "b" }]);
    let complex =
        json!({ "givenName": "x", "value": "y", "FOO": [1], "foo": { "b": null }, "none": null });
    let value = prop_oneof![
        2 => word().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(element),
        1 => Just(complex),
        3 => json(),
    ];
    let path = proptest::option::weighted(0.8, path());
    (select(vec!["add", "replace", "remove"]), path, value.boxed())
        .prop_map(|(op, path, value)| json!({ "op": op, "path": path, "value": value }))
}
