//! What differs between two states of a resource.

use serde_json::{Map, Value};

/// The paths of the attributes that differ between two documents, in order:
/// `active`, `name.givenName`, `emails`. Lists are told of as a whole.
#[must_use]
pub fn changed_paths(before: &str, after: &str) -> Vec<String> {
    let read = |document| serde_json::from_str::<Map<String, Value>>(document).unwrap_or_default();
    let (before, after) = (read(before), read(after));
    let mut paths = Vec::new();
    differing("", &before, &after, &mut paths);
    paths.sort();
    paths
}

fn differing(
    prefix: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    paths: &mut Vec<String>,
) {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    paths.extend(gone.map(|name| format!("{prefix}{name}")));
    for (name, value) in after {
        match (before.get(name), value) {
            (Some(same), value) if same == value => {}
            (Some(Value::Object(before)), Value::Object(after)) if prefix.is_empty() => {
                // An extension's attributes stand behind its URN and a colon
                // (RFC 7644 3.10), sub-attributes behind a dot.
                let separator = if name.contains(':') { ':' } else { '.' };
                differing(&format!("{name}{separator}"), before, after, paths);
            }
            _ => paths.push(format!("{prefix}{name}")),
        }
    }
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
}
