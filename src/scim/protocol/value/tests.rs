use proptest::prelude::*;
use serde_json::json;

use super::super::testing::object;
use super::{assigned, boolean, entry, excerpt, fold, instant, is_unassigned, items, key};

proptest! {
    #[test]
    fn folding_twice_is_folding_once_and_goes_letter_by_letter(one in "\\PC*|[ΣσςİıßẞK]*", other in "[ΣσςİaA]*") {
        prop_assert_eq!(fold(&fold(&one)), fold(&one));
        prop_assert_eq!(fold(&format!("{one}{other}")), fold(&one) + &fold(&other));
    }

    #[test]
    fn an_excerpt_is_short_and_cut_between_characters(text in "\\PC{0,200}") {
        prop_assert!(excerpt(&json!(text)).chars().count() <= 103);
    }
}

#[test]
fn upper_and_lower_case_are_one_in_every_script() {
    for (one, other) in [("ABC", "abc"), ("ÄÖÜ", "äöü"), ("ΟΔΟΣ", "οδος"), ("ЖЁ", "жё"), ("ẞ", "ß")]
    {
        assert_eq!(fold(one), fold(other));
    }
    assert_ne!(fold("ı"), fold("i"));
}

#[test]
fn a_time_is_read_with_any_offset_and_up_to_nine_digits() {
    let noon = instant("2026-11-23T20:15:00Z").expect("a time");
    assert_eq!(instant("2026-11-23T21:15:00.000+01:00"), Some(noon));
    assert_eq!(instant("2026-11-23T20:15:00.1234567Z"), Some(noon + 123_456_700));
    for text in ["", "2026-11-23", "yesterday", "2026-11-23T20:15:00", "2026-13-23T20:15:00Z", "0"]
    {
        assert_eq!(instant(text), None, "{text}");
    }
}

#[test]
fn only_booleans_and_their_texts_are_booleans() {
    for (value, flag) in [
        (json!(true), Some(true)),
        (json!("FALSE"), Some(false)),
        (json!("yes"), None),
        (json!(1), None),
        (json!(null), None),
        (json!([true]), None),
    ] {
        assert_eq!(boolean(&value), flag, "{value}");
    }
}

#[test]
fn null_and_what_holds_nothing_else_is_unassigned() {
    for value in [json!(null), json!([]), json!({}), json!([null, {}]), json!({ "a": [null] })] {
        assert!(is_unassigned(&value), "{value}");
    }
    for value in [json!(""), json!(false), json!(0), json!([null, 0])] {
        assert!(!is_unassigned(&value), "{value}");
    }
}

#[test]
fn what_says_nothing_is_left_out_but_lists_keep_their_items() {
    let value =
        json!({ "a": null, "b": [1, null, { "c": [], "d": 1 }], "e": { "f": {} }, "g": "" });
    assert_eq!(assigned(&value), json!({ "b": [1, null, { "d": 1 }], "g": "" }));
}

#[test]
fn names_are_found_as_they_are_before_they_are_found_in_another_case() {
    let both = object(json!({ "NAME": 1, "name": 2 }));
    assert_eq!(entry(&both, "name").map(|(_, value)| value), Some(&json!(2)));
    assert_eq!(entry(&both, "Name").map(|(_, value)| value), Some(&json!(1)));
    assert_eq!(key(&both, "nAME"), "NAME");
    assert_eq!(key(&both, "other"), "other");
}

#[test]
fn one_value_is_a_list_of_one() {
    assert_eq!(items(&json!([1, 2])).count(), 2);
    assert_eq!(items(&json!({ "a": 1 })).count(), 1);
}
