//! RFC 7644 3.10.

use proptest::prelude::*;

use super::super::schema::{GROUP, USER};
use super::super::testing::ENTERPRISE;
use super::AttributePath;

fn parse(text: &str) -> AttributePath {
    AttributePath::parse(text, &USER).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn names_are_read_in_any_case_and_written_as_the_table_has_them() {
    for (text, written) in [
        ("username", "userName"),
        ("NAME.FAMILYNAME", "name.familyName"),
        ("Emails.$REF", "emails.$REF"),
        ("groups.$REF", "groups.$ref"),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName", "userName"),
        ("URN:IETF:params:scim:schemas:core:2.0:user:NAME.givenname", "name.givenName"),
        ("externalid", "externalId"),
        ("meta.lastmodified", "meta.lastModified"),
    ] {
        assert_eq!(parse(text).to_string(), written);
    }
}

#[test]
fn an_attribute_of_an_extension_is_known_by_urn_by_alias_and_by_plain_name() {
    let qualified = format!("{ENTERPRISE}:manager.value");
    for text in [
        qualified.as_str(),
        "urn:IETF:params:scim:schemas:extension:ENTERPRISE:2.0:User:Manager.Value",
        "urn:scim:schemas:extension:enterprise:2.0:manager.value",
        // E7
        "manager.value",
    ] {
        let path = parse(text);
        assert_eq!(path.to_string(), qualified);
        assert!(path.is_known());
    }
    // Groups have no such extension.
    assert!(!AttributePath::parse("manager", &GROUP).expect("a path").is_known());
}

#[test]
fn what_the_table_does_not_know_is_read_and_called_unknown() {
    for text in
        ["foo", "foo.bar", "name.foo", "userName.foo", "urn:x:y:foo", "urn:x:y:1.0:User:a.b"]
    {
        let path = parse(text);
        assert!(!path.is_known(), "{text}");
        assert_eq!(path.to_string(), text);
    }
    let custom = parse("urn:example:scim:2.0:User:tag.value");
    assert_eq!(custom.extension.as_deref(), Some("urn:example:scim:2.0:User"));
    assert_eq!((custom.name.as_str(), custom.sub.as_deref()), ("tag", Some("value")));
}

#[test]
fn what_is_no_path_is_refused() {
    for text in [
        "",
        ".",
        "a.",
        ".a",
        "a.b.c",
        "1a",
        "a b",
        "a[",
        "a]",
        "ä",
        "a.ä",
        "urn:",
        "urn:x",
        "urn:x:y:",
        "urn:x:y:a b",
        ":a",
        "a:b",
        "name..givenName",
        "-a",
        "http://x/y:a",
    ] {
        assert!(AttributePath::parse(text, &USER).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn a_path_survives_print_and_parse(
        text in "(urn:[a-z]{1,3}(:[a-zA-Z0-9.]{1,3}){0,2}:)?[a-zA-Z$][a-zA-Z0-9_-]{0,4}(\\.[a-z]{1,3})?"
    ) {
        if let Ok(path) = AttributePath::parse(&text, &USER) {
            prop_assert_eq!(AttributePath::parse(&path.to_string(), &USER), Ok(path));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(
        text in "(urn:|URN:|ürn:|😀){0,2}[a-zé.:\\[\\]\"\\\\ 😀]{0,60}|.*",
        cut in 0_usize..60,
    ) {
        // Texts as long as the URN that they are compared with, but for a
        // character that is cut in half there.
        let text = format!("{}{text}", ENTERPRISE.get(..cut).unwrap_or_default());
        for of in [&USER, &GROUP] {
            if let Ok(path) = AttributePath::parse(&text, of) {
                prop_assert_eq!(AttributePath::parse(&path.to_string(), of), Ok(path));
            }
        }
    }
}
