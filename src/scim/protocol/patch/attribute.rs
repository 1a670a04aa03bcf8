//! What a PATCH does to an attribute that the table knows.

use serde_json::{Value, json};

use super::super::fault::{Fault, ScimType};
use super::super::path::AttributePath;
use super::super::resource::{coerce, is_stored};
use super::super::schema::{Attribute, Kind};
use super::super::value::{self, Object};
use super::{Action, elements, no_value, unknown, within};

/// Changes an attribute in the object that holds it.
pub fn set(
    object: &mut Object,
    action: Action,
    attribute: &'static Attribute,
    path: &AttributePath,
    value: &Value,
) -> Result<(), Fault> {
    if let Some(sub) = &path.sub {
        return set_sub_attribute(object, action, attribute, sub, value);
    }
    // A list of one object is the object. Entra ID sends a manager so, and means all
    // of it: whoever has another `value` is somebody else.
    let value = match value {
        Value::Array(items) if !attribute.multi_valued => match items.as_slice() {
            [object @ Value::Object(_)] if attribute.default_sub_attribute().is_none() => object,
            _ => value,
        },
        value => value,
    };
    match (action, value) {
        // What it lists, as Entra ID means it; never the whole for a list that
        // happens to be empty.
        (Action::Remove, value) if attribute.multi_valued && !value.is_null() => {
            elements::remove(object, attribute, value)
        }
        // The name of a person, of which the value names parts.
        (Action::Remove, Value::Object(named))
            if attribute.kind == Kind::Complex && attribute.default_sub_attribute().is_none() =>
        {
            merge(object, action, attribute, named)
        }
        (Action::Remove, _) => remove(object, attribute),
        // RFC 7644 3.5.2.3: "If the target location specifies a complex
        // attribute, a set of sub-attributes SHALL be specified in the "value"
        // parameter that replaces any existing values or adds where an attribute
        // did not previously exist. Sub-attributes that are not specified SHALL
        // be left unchanged."
        (_, Value::Object(named)) if attribute.kind == Kind::Complex && !attribute.multi_valued => {
            merge(object, action, attribute, named)
        }
        (Action::Replace, value) if value::is_none(value) => remove(object, attribute),
        _ => match given(attribute, value)? {
            Some(Value::Array(added)) if action == Action::Add => {
                elements::add(object, attribute, added)
            }
            Some(value) => {
                object.insert(attribute.name.to_owned(), value);
                Ok(())
            }
            None => Ok(()),
        },
    }
}

/// A value in the type of its attribute; `None` only where the client says that
/// there is none. What says nothing otherwise is no way to remove what is there.
pub fn given(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Fault> {
    let given = coerce(attribute, value)?;
    if given.is_none() && !value::is_none(value) {
        return Err(no_value(attribute.name, value));
    }
    Ok(given)
}

fn merge(
    object: &mut Object,
    action: Action,
    attribute: &'static Attribute,
    named: &Object,
) -> Result<(), Fault> {
    within(object, Some(attribute.name), |present| {
        named
            .iter()
            .try_for_each(|(sub, value)| set_in_element(present, action, attribute, sub, value))
    })
}

fn remove(object: &mut Object, attribute: &Attribute) -> Result<(), Fault> {
    // RFC 7644 3.5.2.2: "If an attribute is removed or becomes unassigned and
    // is defined as a required attribute or a read-only attribute, the server
    // SHALL return [...] "mutability"."
    if attribute.required {
        let detail = format!("`{}` is required and cannot be removed.", attribute.name);
        return Err(Fault::new(ScimType::Mutability, detail));
    }
    object.shift_remove(attribute.name);
    Ok(())
}

/// Changes a sub-attribute of a complex attribute, or of each of its values.
fn set_sub_attribute(
    object: &mut Object,
    action: Action,
    attribute: &'static Attribute,
    sub: &str,
    value: &Value,
) -> Result<(), Fault> {
    let mut elements = elements::take(object, attribute);
    let has = |element: &Value| element.as_object().is_some_and(|it| value::get(it, sub).is_some());
    // A typing error, unless the client itself brought it into being.
    if attribute.sub_attribute(sub).is_none() && !elements.iter().any(has) {
        let detail = format!("There is no attribute `{}.{sub}`.", attribute.name);
        return Err(Fault::new(ScimType::InvalidPath, detail));
    }
    if elements.is_empty() {
        elements.push(json!({}));
    }
    for element in elements.iter_mut().filter_map(Value::as_object_mut) {
        set_in_element(element, action, attribute, sub, value)?;
    }
    elements::keep_one_primary(&mut elements, &[]);
    elements::put(object, attribute, elements);
    Ok(())
}

/// Changes a sub-attribute in a complex value.
pub fn set_in_element(
    element: &mut Object,
    action: Action,
    attribute: &Attribute,
    sub: &str,
    value: &Value,
) -> Result<(), Fault> {
    let Some(known) = attribute.sub_attribute(sub) else {
        return unknown::change(element, action, sub, value);
    };
    match action {
        _ if !is_stored(known) => {}
        Action::Add if value::is_none(value) => {}
        Action::Remove => drop(element.shift_remove(known.name)),
        Action::Add | Action::Replace => match given(known, value)? {
            Some(value) => {
                if known.name == "value" {
                    elements::unmark(element, attribute, &value);
                }
                element.insert(known.name.to_owned(), value);
            }
            None => drop(element.shift_remove(known.name)),
        },
    }
    Ok(())
}
