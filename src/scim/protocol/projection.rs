//! Which attributes of a resource an answer shows (RFC 7644 3.9).

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::Value;

use super::path::AttributePath;
use super::schema::{ResourceType, Returned};
use super::value::Object;

/// A choice of attributes.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    only: Option<Choice>,
    without: Choice,
}

/// Names, in lower case, and what is chosen below each of them: attributes and
/// extensions first, then their sub-attributes and attributes.
#[derive(Clone, Debug, Default)]
struct Choice {
    /// All that is here and below.
    whole: bool,
    /// All attributes of the core schema. Only at the top.
    core: bool,
    below: HashMap<String, Choice>,
}

impl Projection {
    /// Reads the parameters `attributes` and `excludedAttributes`: names,
    /// separated by commas. Names that mean nothing select nothing.
    #[must_use]
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>, of: &ResourceType) -> Self {
        let is_blank = |list: &&str| list.split(',').all(|name| name.trim().is_empty());
        let only = attributes.filter(|list| !is_blank(list)).map(|list| Choice::parse(list, of));
        let mut without = Choice::parse(excluded.unwrap_or_default(), of);
        // RFC 7643 7, "request": "returned in a SCIM query operation only if
        // specified in the "attributes" parameter".
        for attribute in of.schema.attributes {
            let subs = attribute.sub_attributes.iter();
            for sub in subs.filter(|sub| sub.returned == Returned::Request) {
                without.add([attribute.name, sub.name]);
            }
        }
        Self { only, without }
    }

    /// Whether an answer would show the attribute, so that it must be read.
    #[must_use]
    pub fn shows(&self, name: &str) -> bool {
        match &self.only {
            Some(only) => only.core || only.at(name).is_some(),
            None => !self.without.core && self.without.at(name).is_none_or(|choice| !choice.whole),
        }
    }

    /// Whether the client chose attributes by name.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.only.is_some()
    }

    /// Whether nothing is chosen, as nearly always, so that all of everything is shown.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.only.is_none() && self.without.is_nothing()
    }

    /// What is shown of the attribute of this name.
    #[must_use]
    pub fn part(&self, name: &str, of: &ResourceType) -> Part<'_> {
        if self.is_whole() {
            return Part(Of::Whole);
        }
        // RFC 7644 3.9: what is always returned is returned whatever is asked for
        // or excluded.
        if is_always_returned(name, of) {
            return Part(Of::Whole);
        }
        let is_core = !name.contains(':');
        Part(match (&self.only, self.without.at(name)) {
            (Some(only), _) if only.core && is_core => Of::Whole,
            (Some(only), _) => only.at(name).map_or(Of::Nothing, Of::Only),
            (None, _) if self.without.core && is_core => Of::Nothing,
            (None, Some(choice)) => Of::Without(choice),
            (None, None) => Of::Whole,
        })
    }
}

/// How much of an attribute is shown.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a>(Of<'a>);

#[derive(Clone, Copy, Debug)]
enum Of<'a> {
    Whole,
    Nothing,
    Only(&'a Choice),
    Without(&'a Choice),
}

impl Part<'_> {
    /// Whether that is all of it, so that its value need not be looked at.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self.0, Of::Whole)
    }

    /// Whether that is nothing, so that its value need not be looked at.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        matches!(self.0, Of::Nothing)
    }

    /// What is shown of the attribute's value, if it has any of it.
    #[must_use]
    pub fn of(self, value: Value) -> Option<Value> {
        match self.0 {
            Of::Whole => Some(value),
            Of::Nothing => None,
            Of::Only(choice) => choice.keep(value),
            Of::Without(choice) => choice.leave_out(value),
        }
    }
}

impl Choice {
    fn parse(list: &str, of: &ResourceType) -> Self {
        let mut all = Self::default();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name.eq_ignore_ascii_case(of.schema.id) {
                all.core = true;
                continue;
            }
            // A URN that the table does not know may be an extension, or an
            // attribute of one.
            if name.contains(':') {
                all.add([of.extension(name).map_or(name, |schema| schema.id)]);
            }
            if let Ok(path) = AttributePath::parse(name, of) {
                let parts = [path.extension.as_deref(), Some(&path.name), path.sub.as_deref()];
                all.add(parts.into_iter().flatten());
            }
        }
        all
    }

    fn add<'a>(&mut self, path: impl IntoIterator<Item = &'a str>) {
        let mut place = self;
        for name in path {
            place = place.below.entry(name.to_ascii_lowercase()).or_default();
        }
        place.whole = true;
    }

    fn is_nothing(&self) -> bool {
        !self.whole && !self.core && self.below.is_empty()
    }

    fn at(&self, name: &str) -> Option<&Self> {
        self.below.get(&name.to_ascii_lowercase())
    }

    /// What is chosen of a value, if it has any of it.
    fn keep(&self, value: Value) -> Option<Value> {
        match value {
            whole if self.whole => Some(whole),
            Value::Array(elements) => {
                let kept: Vec<_> =
                    elements.into_iter().filter_map(|each| self.keep(each)).collect();
                (!kept.is_empty()).then_some(Value::Array(kept))
            }
            Value::Object(object) => {
                let kept = object.into_iter().filter_map(|(name, value)| {
                    let value = self.at(&name)?.keep(value)?;
                    Some((name, value))
                });
                let kept: Object = kept.collect();
                (!kept.is_empty()).then_some(Value::Object(kept))
            }
            _ => None,
        }
    }

    /// What is left of a value without what is chosen, if anything is.
    fn leave_out(&self, value: Value) -> Option<Value> {
        match value {
            _ if self.whole => None,
            Value::Array(elements) => {
                let left = elements.into_iter().filter_map(|each| self.leave_out(each));
                let left: Vec<_> = left.collect();
                (!left.is_empty()).then_some(Value::Array(left))
            }
            Value::Object(object) => {
                let left = object.into_iter().filter_map(|(name, value)| match self.at(&name) {
                    Some(choice) => Some((name, choice.leave_out(value)?)),
                    None => Some((name, value)),
                });
                let left: Object = left.collect();
                (!left.is_empty()).then_some(Value::Object(left))
            }
            simple => Some(simple),
        }
    }
}

fn is_always_returned(name: &str, of: &ResourceType) -> bool {
    of.attribute(name).is_some_and(|attribute| attribute.returned == Returned::Always)
}
