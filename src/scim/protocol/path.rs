//! Attribute paths (RFC 7644 3.10): `userName`, `name.familyName`,
//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value`.

#[cfg(test)]
mod tests;

use std::fmt;

use super::schema::{Attribute, ResourceType};

/// An attribute or sub-attribute, by its place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath {
    /// The key of the extension that it belongs to; `None` for the core schema.
    pub extension: Option<String>,
    /// The attribute's name, canonical where it is known.
    pub name: String,
    /// The sub-attribute's name, canonical where it is known.
    pub sub: Option<String>,
    /// What the table says of the attribute, if it knows it.
    pub attribute: Option<&'static Attribute>,
    /// What the table says of the sub-attribute, if it knows it.
    pub sub_attribute: Option<&'static Attribute>,
}

impl AttributePath {
    /// Reads a path of a resource of this type. Attributes that the table does
    /// not know are read too; `Err` says what is malformed.
    pub fn parse(text: &str, of: &ResourceType) -> Result<Self, String> {
        let (mut extension, rest) = split_urn(text, of)?;
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        for part in [Some(name), sub].into_iter().flatten() {
            check_name(part)?;
        }
        let mut attribute = match &extension {
            None => of.attribute(name),
            Some(urn) => of.extension(urn).and_then(|schema| schema.attribute(name)),
        };
        // RFC 7644 3.10 wants attributes of extensions qualified; Entra ID asks
        // for a plain `manager`.
        if let (None, None, Some((schema, found))) = (&extension, attribute, of.unqualified(name)) {
            extension = Some(schema.id.to_owned());
            attribute = Some(found);
        }
        let sub_attribute =
            attribute.and_then(|attribute| sub.and_then(|sub| attribute.sub_attribute(sub)));
        let canonical = |known: Option<&'static Attribute>, name: &str| {
            known.map_or(name, |attribute| attribute.name).to_owned()
        };
        Ok(Self {
            extension,
            name: canonical(attribute, name),
            sub: sub.map(|sub| canonical(sub_attribute, sub)),
            attribute,
            sub_attribute,
        })
    }

    /// The path of a sub-attribute, as the filter of a value path names it.
    pub fn within(attribute: &'static Attribute, name: &str) -> Result<Self, String> {
        check_name(name)?;
        let sub = attribute.sub_attribute(name);
        Ok(Self {
            extension: None,
            name: sub.map_or(name, |sub| sub.name).to_owned(),
            sub: None,
            attribute: sub,
            sub_attribute: None,
        })
    }

    /// Whether the table knows all of it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.attribute.is_some() && self.sub.is_some() == self.sub_attribute.is_some()
    }

    /// What the table says of the values at the end of the path.
    #[must_use]
    pub fn target(&self) -> Option<&'static Attribute> {
        if self.sub.is_some() { self.sub_attribute } else { self.attribute }
    }
}

/// Writes the path with canonical names.
impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(extension) = &self.extension {
            write!(f, "{extension}:")?;
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// The extension that a path is qualified with, by the key that it has in
/// documents, and the rest of the path.
fn split_urn<'a>(text: &'a str, of: &ResourceType) -> Result<(Option<String>, &'a str), String> {
    if !starts_with_ignoring_case(text, "urn:") {
        return Ok((None, text));
    }
    if let Some(rest) = strip_urn(text, of.schema.id) {
        return Ok((None, rest));
    }
    // The last colon: what is behind it can have none.
    let (urn, rest) = text
        .rsplit_once(':')
        .filter(|(urn, _)| urn.contains(':'))
        .ok_or("the URN is not followed by an attribute")?;
    let key = of.extension(urn).map_or(urn, |schema| schema.id);
    Ok((Some(key.to_owned()), rest))
}

fn strip_urn<'a>(text: &'a str, urn: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(urn.len())?;
    head.eq_ignore_ascii_case(urn).then(|| tail.strip_prefix(':'))?
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// `ATTRNAME = ALPHA *(nameChar)` (RFC 7644, figure 1), and `$ref`.
fn check_name(name: &str) -> Result<(), String> {
    let mut characters = name.chars();
    let first = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '$');
    let rest = |next: char| next.is_ascii_alphanumeric() || matches!(next, '-' | '_');
    if first && characters.all(rest) {
        Ok(())
    } else {
        Err(format!("`{name}` is not the name of an attribute"))
    }
}
