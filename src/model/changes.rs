//! What differs between two states of a resource.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// The paths of the attributes that differ between two documents, in order:
/// `active`, `name.givenName`, `emails`. Lists are told of as a whole, and `schemas`,
/// which follows from the others, not at all.
#[must_use]
pub fn changed_paths(before: &str, after: &str) -> Vec<String> {
    let mut paths = Vec::new();
    differing("", before, after, &mut paths);
    paths.retain(|path| path != "schemas");
    paths.sort();
    paths
}

/// Values that are written alike are not read.
fn differing(prefix: &str, before: &str, after: &str, paths: &mut Vec<String>) {
    let (before, after) = (entries(before), entries(after));
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    paths.extend(gone.map(|name| format!("{prefix}{name}")));
    for (name, after) in &after {
        match before.get(name) {
            Some(before) if before.get() == after.get() => {}
            Some(before) if prefix.is_empty() && is_object(before) && is_object(after) => {
                // An extension's attributes stand behind its URN and a colon
                // (RFC 7644 3.10), sub-attributes behind a dot.
                let separator = if name.contains(':') { ':' } else { '.' };
                differing(&format!("{name}{separator}"), before.get(), after.get(), paths);
            }
            Some(before) if read(before) == read(after) => {}
            _ => paths.push(format!("{prefix}{name}")),
        }
    }
}

fn entries(object: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(object).unwrap_or_default()
}

fn read(value: &RawValue) -> Option<Value> {
    serde_json::from_str(value.get()).ok()
}

fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_gone_or_different_is_named_by_its_path() {
        let before = r#"{"userName":"a","name":{"givenName":"A","familyName":"B"},"title":"x",
            "emails":[{"value":"a@x"}],"urn:x:User":{"department":"d"}}"#;
        let after = r#"{"userName":"a","name":{"givenName":"C","familyName":"B"},"active":false,
            "emails":[{"value":"b@x"}],"urn:x:User":{"department":"e"}}"#;
        let expected = ["active", "emails", "name.givenName", "title", "urn:x:User:department"];
        assert_eq!(changed_paths(before, after), expected);
        assert_eq!(changed_paths(before, before), [""; 0]);
    }

    #[test]
    fn schemas_are_not_told_of() {
        let before = r#"{"userName":"a"}"#;
        let after = r#"{"schemas":["urn:User","urn:x"],"userName":"a","urn:x":{"schemas":1}}"#;
        assert_eq!(changed_paths(before, after), ["urn:x"]);
        assert_eq!(changed_paths(after, before), ["urn:x"]);
    }

    #[test]
    fn what_is_only_written_in_another_way_is_the_same() {
        let before =
            r#"{"name":{"givenName":"A","x":{"a":1,"b":2}},"emails":[{"value":"a","type":"b"}]}"#;
        let after = r#"{"emails": [{"type":"b","value":"\u0061"}], "name": {"x":{"b":2,"a":1},"givenName":"A"}}"#;
        assert_eq!(changed_paths(before, after), [""; 0]);
    }
}
