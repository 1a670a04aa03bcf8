//! Filters that are none, and what the client is told.

use super::super::super::fault::ScimType;
use super::super::super::schema::{GROUP, USER};
use super::super::Filter;

/// Where in characters, from 1, and some words of what is said.
#[track_caller]
fn refused(filter: &str, position: usize, words: &str) {
    let fault = Filter::parse(filter, &USER).expect_err(filter);
    assert_eq!(fault.scim_type, ScimType::InvalidFilter, "{filter}");
    let place = format!("(position {position} of the filter)");
    assert!(fault.detail.ends_with(&place), "{filter}: {}", fault.detail);
    assert!(fault.detail.contains(words), "{filter}: {}", fault.detail);
}

#[test]
fn an_unknown_attribute_is_named_at_its_position() {
    refused("foo eq \"x\"", 1, "There is no attribute `foo`");
    refused("title pr and name.foo pr", 14, "`name.foo`");
    refused("emails[foo eq \"x\"]", 8, "`foo`");
    refused("emails[type pr].foo eq \"x\"", 17, "`foo`");
    refused("title.foo pr", 1, "`title.foo`");
    refused("urn:example:1.0:User:foo pr", 1, "`urn:example:1.0:User:foo`");
    refused("members pr", 1, "`members`");
    assert!(Filter::parse("members pr", &GROUP).is_ok());
}

#[test]
fn what_is_malformed_is_told_with_its_position() {
    refused("", 1, "name of an attribute, found the end");
    refused("   ", 4, "name of an attribute, found the end");
    refused("title", 6, "an operator");
    refused("title xx \"a\"", 7, "an operator: eq, ne");
    refused("title eq", 9, "a value");
    refused("title eq ", 10, "a value");
    refused("title eq)", 9, "a value");
    refused("title eq \"a", 10, "does not end with a quotation mark");
    refused("title eq \"a\\\"", 10, "does not end with a quotation mark");
    refused("title eq \"\\q\"", 10, "not written as in JSON");
    refused("title eq \"a\tb\"", 10, "not written as in JSON");
    refused("title eq \"\\ud800\"", 10, "not written as in JSON");
    refused("title eq a\"b", 11, "found `\"`");
    refused("title pr title pr", 10, "`and`, `or` or the end, found `t`");
    refused("title eq a b", 12, "`and`, `or` or the end");
    refused("title pr and", 13, "name of an attribute, found the end");
    refused("title pr or or title pr", 13, "`or`");
    refused("and title pr", 1, "`and`");
    refused("(title pr", 10, "Expected `)`, found the end");
    refused("title pr)", 9, "found `)`");
    refused("()", 2, "name of an attribute, found `)`");
    refused("not title pr", 5, "Expected `(`, found `t`");
    refused("not", 4, "Expected `(`, found the end");
    refused("emails[type eq \"a\"", 19, "Expected `]`, found the end");
    refused("emails[]", 8, "name of an attribute, found `]`");
    refused("emails[type eq \"a\")", 19, "Expected `]`, found `)`");
    refused("emails[type eq \"a\"] eq \"b\"", 21, "`and`, `or` or the end");
    refused("emails[emails[type pr]]", 8, "`emails`");
    refused("title[value pr]", 1, "`title` has no sub-attributes");
    refused("1title pr", 1, "`1title` is not the name of an attribute");
    refused("name. pr", 1, "`` is not the name of an attribute");
    refused("urn:x pr", 1, "URN is not followed by an attribute");
    refused("\"title\" pr", 1, "name of an attribute, found `\"`");
}

#[test]
fn positions_are_counted_in_characters_not_in_bytes() {
    refused("title eq \"äöü😀\" nd", 17, "`and`, `or` or the end");
    refused("title eq é and foo pr", 16, "`foo`");
}

#[test]
fn a_comparison_that_the_type_does_not_have_is_refused() {
    // RFC 7644, table 3: "Boolean and Binary attributes SHALL cause a failed
    // response (HTTP status code 400) with "scimType" of "invalidFilter"."
    refused("active gt true", 1, "takes eq and ne only");
    refused("active co \"t\"", 1, "takes eq and ne only");
    refused("x509Certificates.value lt \"a\"", 1, "has no order");
    refused("active eq 5", 11, "true or false");
    refused("title pr and active eq maybe", 24, "true or false");
    refused("meta.created gt \"yesterday\"", 17, "a time");
    refused("meta.created eq 5", 17, "a time");
    refused("title gt null", 10, "eq and ne only");
    refused("name eq \"a\"", 1, "name one of its sub-attributes");
    refused("addresses co \"a\"", 1, "name one of its sub-attributes");
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = |levels: usize| format!("{}title pr{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Filter::parse(&deep(32), &USER).is_ok());
    refused(&deep(33), 34, "nested deeper than 32");
    let many = vec!["title pr"; 630].join(" and ");
    assert!(Filter::parse(&many, &USER).is_ok());
    let fault = Filter::parse(&vec!["title pr"; 630].join(" and  "), &USER).expect_err("too long");
    assert!(fault.detail.contains("longer than 8192 bytes"), "{fault}");
}
