//! The examples of the RFC, and those of identity providers.

use serde_json::json;

use super::super::super::schema::GROUP;
use super::super::super::testing::{ENTERPRISE, object};
use super::super::Filter;
use super::holds;

#[test]
fn every_example_of_the_rfc_holds_for_whom_it_is_meant_and_for_nobody_else() {
    let meant = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": "JBjensen",
        "name": { "familyName": "O'Malley" },
        "title": "Boss",
        "userType": "Employee",
        "meta": { "lastModified": "2012-01-01T00:00:00Z" },
        "emails": [
            { "type": "home", "value": "x@example.net" },
            { "type": "work", "value": "x@example.com" },
        ],
    });
    let other = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "alice",
        "name": { "familyName": "Malley" },
        "userType": "Contractor",
        "meta": { "lastModified": "2010-01-01T00:00:00Z" },
        "emails": [{ "type": "home", "value": "x@example.com" }],
    });
    for filter in [
        r#"userName Eq "jbjensen""#,
        r#"name.familyName co "O'Malley""#,
        r#"userName sw "J""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#,
        "title pr",
        r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified ge "2011-05-13T04:42:34Z""#,
        r#"title pr and userType eq "Employee""#,
        r#"title pr or userType eq "Intern""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
        r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
        r#"userType eq "Employee" and (emails.type eq "work")"#,
        r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#,
        r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
    ] {
        assert!(holds(filter, &meant), "{filter}");
        assert!(!holds(filter, &other), "{filter}");
    }
    for filter in [
        r#"meta.lastModified lt "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified le "2011-05-13T04:42:34Z""#,
        r#"userType ne "Employee" and not (emails co "example.org" or emails.value co "@foo")"#,
    ] {
        assert!(!holds(filter, &meant), "{filter}");
        assert!(holds(filter, &other), "{filter}");
    }
}

#[test]
fn what_identity_providers_ask_is_answered() {
    let id = "019a0000-0000-7000-8000-000000000001";
    let user = json!({
        "id": id,
        "userName": "u@x",
        "externalId": "jyoung",
        "active": true,
        "name": { "familyName": "Employee" },
        "emails": [{ "type": "work", "value": "W@x" }, { "type": "home", "value": "h@x" }],
        "meta": { "lastModified": "2026-11-23T20:15:00.000000Z" },
        ENTERPRISE: { "manager": { "value": "B" } },
    });
    for filter in [
        // O1, E1
        r#"userName eq "u@x""#,
        // E2: no quotation marks, and a comparison behind a value path
        "externalId eq jyoung",
        r#"emails[type eq "work"].value eq "w@X""#,
        // E7: the manager without the URN of the extension
        &format!(r#"id eq "{id}" and manager eq "B""#),
        // E17
        r#"(ActiVe eq true) and meta.lastmodified ge "2026-11-23T20:14:59.1234567Z""#,
        "name.FamilyName eq Employee",
        "active eq \"True\"",
    ] {
        assert!(holds(filter, &user), "{filter}");
    }
    assert!(!holds(r#"emails[type eq "work"].value eq "h@x""#, &user));
    assert!(!holds(r#"manager eq "A""#, &user));
}

#[test]
fn a_group_is_found_by_a_member() {
    // E11
    let group = object(json!({ "id": "G", "members": [{ "value": "U" }, { "value": "V" }] }));
    let holds = |text| Filter::parse(text, &GROUP).expect("a filter").matches(&group);
    assert!(holds(r#"id eq "G" and members eq "U""#));
    assert!(holds(r#"members.value eq "V""#));
    assert!(!holds(r#"members eq "W""#));
}
