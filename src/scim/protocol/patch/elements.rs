//! What a PATCH does to the values of an attribute.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::super::fault::{Fault, ScimType};
use super::super::filter::{Filter, Operand, Operator};
use super::super::resource::{check_count, coerce};
use super::super::schema::Attribute;
use super::super::value::{self, Object};
use super::Action;
use super::attribute::{given, set_in_element};

/// Takes the values of an attribute out of their place, which they keep.
pub fn take(object: &mut Object, attribute: &Attribute) -> Vec<Value> {
    match object.get_mut(attribute.name) {
        Some(Value::Array(elements)) => std::mem::take(elements),
        Some(one) => vec![one.take()],
        None => Vec::new(),
    }
}

/// Puts them back, but for those that have become none.
pub fn put(object: &mut Object, attribute: &Attribute, mut elements: Vec<Value>) {
    elements.retain(|element| !value::is_unassigned(element));
    let value = if attribute.multi_valued {
        Some(Value::Array(elements)).filter(|all| !value::is_unassigned(all))
    } else {
        elements.pop()
    };
    match value {
        Some(value) => drop(object.insert(attribute.name.to_owned(), value)),
        None => drop(object.shift_remove(attribute.name)),
    }
}

/// Adds values, of which those that are there are changed. RFC 7644 3.5.2.1: "If
/// the value already exists, no changes SHOULD be made".
pub fn add(object: &mut Object, attribute: &Attribute, added: Vec<Value>) -> Result<(), Fault> {
    let mut elements = take(object, attribute);
    let mut index = Index::of(&elements, attribute);
    let mut primaries = Vec::new();
    for element in added {
        let place = index.place(&element).unwrap_or(elements.len());
        if is_primary(&element) {
            primaries.push(place);
        }
        match (elements.get_mut(place), element) {
            (Some(Value::Object(present)), Value::Object(element)) => present.extend(element),
            (Some(_), _) => {}
            (None, element) => elements.push(element),
        }
        index.insert(&elements[place], place);
    }
    check_count(attribute, elements.len())?;
    keep_one_primary(&mut elements, &primaries);
    put(object, attribute, elements);
    Ok(())
}

/// Removes just the values that are listed.
pub fn remove(object: &mut Object, attribute: &Attribute, listed: &Value) -> Result<(), Fault> {
    let Some(Value::Array(listed)) = given(attribute, listed)? else { return Ok(()) };
    let index = Index::of(&listed, attribute);
    let mut elements = take(object, attribute);
    elements.retain(|element| index.place(element).is_none());
    put(object, attribute, elements);
    Ok(())
}

/// Changes the values for which a filter holds, or a sub-attribute of each.
pub fn change(
    object: &mut Object,
    action: Action,
    attribute: &Attribute,
    filter: &Filter,
    sub: Option<&str>,
    value: &Value,
) -> Result<(), Fault> {
    if action == Action::Add && value::is_none(value) {
        return Ok(());
    }
    let removes = action == Action::Remove || value::is_none(value);
    let matches =
        |element: &Value| element.as_object().is_some_and(|element| filter.matches(element));
    let mut elements = take(object, attribute);
    if removes && sub.is_none() {
        elements.retain(|element| !matches(element));
        put(object, attribute, elements);
        return Ok(());
    }
    let mut places: Vec<_> =
        (0..elements.len()).filter(|place| matches(&elements[*place])).collect();
    // What is not there is removed already.
    let creates = places.is_empty() && !removes;
    if creates {
        let may_be = attribute.multi_valued || elements.is_empty();
        let Some(element) = implied(filter).filter(|_| may_be).filter(|element| {
            // RFC 7644 3.5.2.3: a replace that matches nothing fails with
            // "noTarget". But Entra ID and Okta create values with
            // `emails[type eq "work"].value`, which says what the value is for,
            // not which one it is.
            action == Action::Add || (sub.is_some() && !element.contains_key("value"))
        }) else {
            return no_match(attribute);
        };
        places.push(elements.len());
        elements.push(Value::Object(element));
    }
    for place in &places {
        let Value::Object(element) = &mut elements[*place] else { continue };
        match sub {
            Some(sub) => set_in_element(element, action, attribute, sub, value)?,
            None => set_element(element, action, attribute, filter, value)?,
        }
    }
    // One that its own filter does not find would be created time and again.
    if creates && !places.iter().all(|place| matches(&elements[*place])) {
        return no_match(attribute);
    }
    check_count(attribute, elements.len())?;
    keep_one_primary(&mut elements, &places);
    put(object, attribute, elements);
    Ok(())
}

fn no_match(attribute: &Attribute) -> Result<(), Fault> {
    let detail = format!("No value of `{}` matches the filter of the path.", attribute.name);
    Err(Fault::new(ScimType::NoTarget, detail))
}

/// RFC 7644 3.5.2.3: of values that a filter matches, "all matching record
/// values SHALL be replaced". What the filter asks for they stay.
fn set_element(
    element: &mut Object,
    action: Action,
    attribute: &Attribute,
    filter: &Filter,
    value: &Value,
) -> Result<(), Fault> {
    let one = match coerce(attribute, value)? {
        Some(Value::Array(mut all)) if all.len() == 1 => all.swap_remove(0),
        Some(one @ Value::Object(_)) => one,
        _ => return Err(Fault::value(format!("`{}` here takes one value.", attribute.name))),
    };
    let Value::Object(named) = one else { return Ok(()) };
    if action == Action::Replace {
        *element = implied(filter).unwrap_or_default();
    }
    if let Some(value) = named.get("value") {
        unmark(element, attribute, value);
    }
    element.extend(named);
    Ok(())
}

/// Takes the mark `verified` from an email that is about to get this `value`, if
/// it is another address: whoever vouched for the one did not see the other.
pub fn unmark(element: &mut Object, attribute: &Attribute, value: &Value) {
    let key = |value: Option<&Value>| value.and_then(Value::as_str).map(value::fold);
    if attribute.name == "emails" && key(element.get("value")) != key(Some(value)) {
        element.retain(|name, _| !name.eq_ignore_ascii_case("verified"));
    }
}

/// The element that a filter describes, if it is made of equalities.
fn implied(filter: &Filter) -> Option<Object> {
    match filter {
        Filter::Compare(path, Operator::Equal, operand) => {
            let value = match operand {
                Operand::Boolean(flag) => json!(flag),
                Operand::Text { text, .. } | Operand::Instant { text, .. } => json!(text),
                Operand::Null => return Some(Object::new()),
            };
            Some(Object::from_iter([(path.name.clone(), value)]))
        }
        Filter::And(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(implied).collect();
            Some(parts?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// RFC 7644 3.5.2: "a PATCH operation that sets a value's "primary" sub-attribute
/// to "true" SHALL cause the server to automatically set "primary" to "false" for
/// any other values in the array." `changed` are the places of those that may
/// have been set; the last one of them is believed.
pub fn keep_one_primary(elements: &mut [Value], changed: &[usize]) {
    let newest = changed.iter().rev().find(|place| is_primary(&elements[**place])).copied();
    let Some(keep) = newest.or_else(|| elements.iter().position(is_primary)) else { return };
    for (place, element) in elements.iter_mut().enumerate() {
        if place != keep && is_primary(element) {
            element["primary"] = Value::Bool(false);
        }
    }
}

/// Which values are the same (RFC 7643 2.4): those with one `value` and one
/// `type`, or, of those that have no `value`, equal ones. One that names no type
/// is any of that value.
struct Index<'a> {
    attribute: &'a Attribute,
    by_value: HashMap<String, usize>,
    by_type: HashMap<(String, Option<String>), BTreeSet<usize>>,
    plain: HashMap<Value, usize>,
}

impl<'a> Index<'a> {
    fn of(elements: &[Value], attribute: &'a Attribute) -> Self {
        let mut index = Self {
            attribute,
            by_value: HashMap::new(),
            by_type: HashMap::new(),
            plain: HashMap::new(),
        };
        for (place, element) in elements.iter().enumerate() {
            index.insert(element, place);
        }
        index
    }

    /// Where a value like this one is.
    fn place(&self, element: &Value) -> Option<usize> {
        match self.identity(element) {
            None => self.plain.get(element).copied(),
            Some((value, None)) => self.by_value.get(&value).copied(),
            Some((value, of_type)) => {
                let first = |identity| self.by_type.get(&identity)?.first().copied();
                first((value.clone(), of_type)).or_else(|| first((value, None)))
            }
        }
    }

    fn insert(&mut self, element: &Value, place: usize) {
        match self.identity(element) {
            None => drop(self.plain.entry(element.clone()).or_insert(place)),
            Some((value, of_type)) => {
                self.by_value.entry(value.clone()).or_insert(place);
                // It may have got its type just now.
                if let Some(untyped) = self.by_type.get_mut(&(value.clone(), None)) {
                    untyped.remove(&place);
                }
                self.by_type.entry((value, of_type)).or_default().insert(place);
            }
        }
    }

    /// The value and the type, as they are compared.
    fn identity(&self, element: &Value) -> Option<(String, Option<String>)> {
        let text = |name: &str| {
            let exact = self.attribute.sub_attribute(name)?.case_exact;
            let text = element.get(name)?.as_str()?;
            Some(if exact { text.to_owned() } else { value::fold(text) })
        };
        Some((text("value")?, text("type")))
    }
}
