//! Precedence, literals, types, and values that are not there.

use serde_json::json;

use super::super::super::testing::ENTERPRISE;
use super::{holds, parse};

#[test]
fn and_binds_tighter_than_or_and_parentheses_tighter_than_both() {
    // RFC 7644 3.4.2.2: "Filters MUST be evaluated using the following order of
    // operations": grouping, not, and, or.
    let user = json!({ "title": "a" });
    assert!(holds("title eq \"a\" or title eq \"b\" and title eq \"c\"", &user));
    assert!(holds("title eq \"c\" and title eq \"b\" or title eq \"a\"", &user));
    assert!(!holds("(title eq \"a\" or title eq \"b\") and title eq \"c\"", &user));
    assert!(holds("not (title eq \"b\") and title pr", &user));
    assert!(!holds("not (title eq \"b\" or title pr)", &user));
}

#[test]
fn keywords_and_names_are_read_in_any_case_and_with_any_blanks() {
    let user = json!({ "title": "a", "emails": [{ "type": "work" }] });
    for filter in [
        "TITLE EQ \"a\" AND NOT (title Ne \"a\")",
        "  title\teq\n\"a\"  ",
        "not(title eq \"b\")",
        "( ( title pr ) )",
        "(title pr)and(title pr)",
        "title eq \"a\"and title pr",
        "emails[ type eq \"work\" ]",
        "emails[type pr]and title pr",
    ] {
        assert!(holds(filter, &user), "{filter}");
    }
}

#[test]
fn names_that_begin_like_keywords_are_names() {
    assert!(!holds("nickName eq \"or\" and nickName co and", &json!({ "nickName": "or" })));
    assert!(holds("nickName eq or", &json!({ "nickName": "or" })));
    assert!(holds("title eq not", &json!({ "title": "not" })));
}

#[test]
fn texts_are_json_with_all_its_escapes() {
    for (literal, title) in [
        (r#""a\"b""#, "a\"b"),
        (r#""a\\b""#, "a\\b"),
        (r#""a\/b""#, "a/b"),
        (r#""\u00e9""#, "é"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""a)b]c(d[""#, "a)b]c(d["),
        (r#""and or not pr""#, "and or not pr"),
        (r#""""#, ""),
        (r#""\t""#, "\t"),
    ] {
        assert!(holds(&format!("title eq {literal}"), &json!({ "title": title })), "{literal}");
    }
}

#[test]
fn a_right_hand_side_without_quotation_marks_is_taken_as_it_is_written() {
    // Numbers among them: an id of digits must not be rounded or shortened.
    for word in
        ["Employee", "00123", "12345678901234567890123", "1E2", "1.0", "-5", "a@b.c", "5e99"]
    {
        let filter = format!("externalId eq {word}");
        assert!(holds(&filter, &json!({ "externalId": word })), "{word}");
        assert!(holds(&format!("(({filter}))"), &json!({ "externalId": word })), "{word}");
        assert!(!holds(&filter, &json!({ "externalId": "100.0" })), "{word}");
    }
}

#[test]
fn null_is_equal_to_what_is_not_there() {
    // RFC 7643 2.5: absent, null and the empty array are one.
    for user in [json!({}), json!({ "title": null, "emails": [] }), json!({ "emails": [{}] })] {
        assert!(holds("title eq null", &user));
        assert!(holds("emails eq null", &user));
        assert!(!holds("title ne null", &user));
        assert!(!holds("title pr", &user));
        assert!(!holds("emails pr", &user));
        assert!(holds("title ne \"a\"", &user));
        assert!(!holds("title eq \"null\"", &user));
    }
    let user = json!({ "title": "null" });
    assert!(holds("title eq \"null\"", &user));
    assert!(holds("title ne null", &user));
}

#[test]
fn booleans_may_be_texts_on_either_side() {
    for literal in ["true", "True", "\"true\"", "\"TRUE\""] {
        for value in [json!(true), json!("True")] {
            assert!(holds(&format!("active eq {literal}"), &json!({ "active": value })));
            assert!(!holds(&format!("active ne {literal}"), &json!({ "active": value })));
        }
        assert!(!holds(&format!("active eq {literal}"), &json!({ "active": false })));
    }
}

#[test]
fn times_are_compared_as_times_whatever_their_digits_and_offsets() {
    let user = json!({ "meta": { "created": "2026-11-23T20:15:00.000000Z" } });
    for filter in [
        "meta.created eq \"2026-11-23T20:15:00Z\"",
        "meta.created eq \"2026-11-23T20:15:00.0000000Z\"",
        "meta.created eq \"2026-11-23T21:15:00+01:00\"",
        "meta.created eq 2026-11-23T20:15:00Z",
        // Before it, though it would come later as a text.
        "meta.created gt \"2026-11-23T23:15:00+05:00\"",
        "meta.created lt \"2026-11-23T20:15:00.0000001Z\"",
        "meta.created ne \"2026-11-23T20:15:01Z\"",
        "meta.created sw \"2026-11\"",
    ] {
        assert!(holds(filter, &user), "{filter}");
    }
}

#[test]
fn texts_are_compared_by_the_case_exactness_of_their_attribute() {
    let user = json!({ "userName": "Ärger", "externalId": "Ab" });
    assert!(holds("userName eq \"äRGER\"", &user));
    assert!(holds("userName ew \"GER\"", &user));
    assert!(holds("userName gt \"a\"", &user));
    assert!(!holds("externalId eq \"ab\"", &user));
    assert!(holds("externalId lt \"a\"", &user));
}

#[test]
fn a_text_begins_with_its_beginning_in_every_script() {
    // `str::to_lowercase` writes the last sigma of a word differently.
    let user = json!({ "title": "ΟΔΟΣΑ" });
    assert!(holds("title sw \"ΟΔΟΣ\"", &user));
    assert!(holds("title eq \"οδοσα\"", &user));
    assert!(holds("title eq \"ΟΔΟΣ\"", &json!({ "title": "οδος" })));
}

#[test]
fn one_value_of_several_is_enough_but_a_value_path_wants_all_of_one() {
    let user = json!({ "emails": [
        { "type": "work", "value": "a" }, { "type": "home", "value": "b" },
    ] });
    assert!(holds("emails.type eq \"work\" and emails.value eq \"b\"", &user));
    assert!(!holds("emails[type eq \"work\" and value eq \"b\"]", &user));
    assert!(holds("emails[type eq \"work\" and not (value eq \"b\")]", &user));
    assert!(holds("emails[type eq \"home\"].value eq \"b\" and emails.value eq \"a\"", &user));
    assert!(holds("emails.value ne \"a\"", &user));
}

#[test]
fn a_complex_attribute_stands_for_its_value() {
    let user = json!({ "emails": [{ "type": "work", "value": "a@b" }] });
    assert!(holds("emails eq \"A@b\"", &user));
    assert!(holds("emails co \"@\"", &user));
    assert!(!holds("emails eq \"work\"", &user));
    // An element without a value has none that is equal to anything.
    assert!(holds("emails ne \"x\"", &json!({ "emails": [{ "type": "work" }] })));
}

#[test]
fn extensions_are_reached_by_urn_by_alias_and_by_plain_name() {
    let user = json!({ ENTERPRISE: { "department": "D", "manager": { "value": "m" } } });
    for name in [
        format!("{ENTERPRISE}:department"),
        format!("{}:DEPARTMENT", ENTERPRISE.to_uppercase()),
        "urn:scim:schemas:extension:enterprise:2.0:department".to_owned(),
        "department".to_owned(),
    ] {
        assert!(holds(&format!("{name} eq \"d\""), &user), "{name}");
    }
    assert!(holds(&format!("{ENTERPRISE}:manager.value eq \"m\""), &user));
    assert!(holds(&format!("{ENTERPRISE}:manager[value eq \"m\"]"), &user));
}

#[test]
fn names_in_the_resource_are_found_in_any_case() {
    assert!(holds("name.givenName eq \"a\"", &json!({ "NAME": { "GIVENNAME": "a" } })));
}

#[test]
fn a_filter_is_written_with_canonical_names() {
    let written = parse("not(USERNAME eq x and(TITLE pr or emails[TYPE eq \"w\"].value co y))");
    assert_eq!(
        written.to_string(),
        "not (userName eq \"x\" and (title pr or emails[type eq \"w\" and value co \"y\"]))"
    );
}
