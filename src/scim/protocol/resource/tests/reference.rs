//! Elements of `groups` and `members`.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::super::super::schema::{GROUP, USER};
use super::super::Reference;

#[test]
fn a_reference_has_the_attributes_of_rfc_7643() {
    let id = Uuid::from_u128(10);
    let base_url = "https://scim.example/scim/v2/c";
    let reference =
        Reference { id, of: &GROUP, base_url, display: Some("Crew".to_owned()), kind: "direct" };
    let expected = json!({
        "value": "00000000-0000-0000-0000-00000000000a",
        "$ref": "https://scim.example/scim/v2/c/Groups/00000000-0000-0000-0000-00000000000a",
        "display": "Crew",
        "type": "direct",
    });
    assert_eq!(reference.to_value(), expected);
    let nameless = Reference { of: &USER, display: None, kind: "User", ..reference };
    let expected = json!({
        "value": "00000000-0000-0000-0000-00000000000a",
        "$ref": "https://scim.example/scim/v2/c/Users/00000000-0000-0000-0000-00000000000a",
        "type": "User",
    });
    assert_eq!(nameless.to_value(), expected);
}

proptest! {
    #[test]
    fn what_is_written_of_a_reference_is_its_value_as_json(
        id in any::<u128>(),
        base_url in any::<String>(),
        display in any::<Option<String>>(),
        is_user in any::<bool>(),
    ) {
        let (of, id) = (if is_user { &USER } else { &GROUP }, Uuid::from_u128(id));
        let reference = Reference { id, of, base_url: &base_url, display, kind: "direct" };
        let mut json = b"before ".to_vec();
        reference.write(&mut json);
        let written = String::from_utf8(json).expect("UTF-8");
        prop_assert_eq!(written, format!("before {}", reference.to_value()));
    }
}
