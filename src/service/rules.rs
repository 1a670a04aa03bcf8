//! The `buf.validate` rules of requests. `build.rs` writes down, per message,
//! which rule stands at which field; here is what each rule means.
//!
//! The meaning is that of <https://protovalidate.com>: a field that is absent
//! breaks no rule but `required`, and an implicit-presence field is absent only
//! to `required`.

use prost_types::Duration;

use crate::model::OrganizationId;

/// One field that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of names as in the `.proto`: `pagination.page_size`.
    pub field: String,
    /// What it must be, to be read behind the field's name.
    pub description: String,
}

impl Violation {
    /// A violation by the field at `path`.
    pub fn new(path: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: path.into(), description: description.into() }
    }
}

/// The id in the field at `path`.
pub fn id<T>(path: &'static str, text: &str) -> Result<T, Violation>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|invalid: T::Err| Violation::new(path, invalid.to_string()))
}

/// The text in the field at `path`, unless it has the character NUL, which
/// PostgreSQL cannot store.
pub fn without_nul(path: &'static str, text: String) -> Result<String, Violation> {
    if text.contains('\0') {
        Err(Violation::new(path, "must not contain the character U+0000"))
    } else {
        Ok(text)
    }
}

/// All violations in `request`; none when it keeps its rules.
pub fn violations(request: &impl Validate) -> Vec<Violation> {
    let mut found = Violations::default();
    request.check(&mut found);
    found.list
}

/// A message with rules. Implemented by generated code only.
pub trait Validate {
    /// Adds each violation in this message to those already found.
    fn check(&self, found: &mut Violations);
}

mod generated {
    #![allow(clippy::unreadable_literal, reason = "bounds are written as the .proto has them")]
    use super::{DurationRules, Int32Rules, StringRules, Validate, Violations, is_uuid_or_empty};
    include!(concat!(env!("OUT_DIR"), "/rules.rs"));
}

/// The violations found so far, and the path of the message being checked.
#[derive(Debug, Default)]
pub struct Violations {
    path: Vec<String>,
    list: Vec<Violation>,
}

/// Whether a value keeps a rule.
type Predicate = fn(&str) -> bool;

/// `buf.validate.StringRules`; lengths in code points.
struct StringRules {
    required: bool,
    min_len: Option<u64>,
    max_len: Option<u64>,
    uuid: bool,
    /// Rules of our own, each with what to say of a value that breaks it.
    custom: &'static [(Predicate, &'static str)],
}

/// `buf.validate.Int32Rules`.
struct Int32Rules {
    required: bool,
    gte: Option<i32>,
    lte: Option<i32>,
}

/// `buf.validate.DurationRules`, in nanoseconds.
struct DurationRules {
    required: bool,
    gte: Option<i128>,
    lte: Option<i128>,
}

impl Violations {
    fn add(&mut self, field: &'static str, description: impl Into<String>) {
        let mut path = self.path.clone();
        path.push(field.to_owned());
        self.list.push(Violation::new(path.join("."), description));
    }

    fn string(&mut self, field: &'static str, value: Option<&str>, rules: &StringRules) {
        if rules.required && value.is_none_or(str::is_empty) {
            return self.add(field, "must be set");
        }
        let Some(text) = value else { return };
        let length = text.chars().count() as u64;
        if let Some(least) = rules.min_len.filter(|least| length < *least) {
            self.add(field, format!("must have at least {least} characters, and has {length}"));
        }
        if let Some(most) = rules.max_len.filter(|most| length > *most) {
            self.add(field, format!("must have at most {most} characters, and has {length}"));
        }
        // Every id has the same form, whichever of the types reads it.
        if let (true, Err(invalid)) = (rules.uuid, text.parse::<OrganizationId>()) {
            self.add(field, invalid.to_string());
        }
        for (_, description) in rules.custom.iter().filter(|(keeps, _)| !keeps(text)) {
            self.add(field, *description);
        }
    }

    fn int32(&mut self, field: &'static str, value: Option<i32>, rules: &Int32Rules) {
        if rules.required && value.is_none_or(|number| number == 0) {
            return self.add(field, "must be set");
        }
        let Some(number) = value else { return };
        if let Some(least) = rules.gte.filter(|least| number < *least) {
            self.add(field, format!("must be at least {least}, and is {number}"));
        }
        if let Some(most) = rules.lte.filter(|most| number > *most) {
            self.add(field, format!("must be at most {most}, and is {number}"));
        }
    }

    fn duration(&mut self, field: &'static str, value: Option<&Duration>, rules: &DurationRules) {
        let Some(duration) = value else {
            if rules.required {
                self.add(field, "must be set");
            }
            return;
        };
        // As the .proto of Duration has it: a fraction below one second, and no
        // sign other than that of the seconds.
        let mixed = duration.seconds.signum() * i64::from(duration.nanos.signum()) < 0;
        if mixed || duration.nanos.unsigned_abs() >= 1_000_000_000 {
            return self.add(field, "must be a valid google.protobuf.Duration");
        }
        let nanos = i128::from(duration.seconds) * NANOS_PER_SECOND + i128::from(duration.nanos);
        if let Some(least) = rules.gte.filter(|least| nanos < *least) {
            self.add(field, format!("must be at least {}", seconds(least)));
        }
        if let Some(most) = rules.lte.filter(|most| nanos > *most) {
            self.add(field, format!("must be at most {}", seconds(most)));
        }
    }

    fn message(&mut self, field: &'static str, value: Option<&impl Validate>, required: bool) {
        match value {
            Some(message) => {
                self.path.push(field.to_owned());
                message.check(self);
                self.path.pop();
            }
            None if required => self.add(field, "must be set"),
            None => {}
        }
    }

    /// Elements are named by their place: `accounts[3].email`.
    fn repeated(&mut self, field: &'static str, values: &[impl Validate], max_items: Option<u64>) {
        let count = values.len() as u64;
        if let Some(most) = max_items.filter(|most| count > *most) {
            return self.add(field, format!("must have at most {most} elements, and has {count}"));
        }
        for (place, value) in values.iter().enumerate() {
            self.path.push(format!("{field}[{place}]"));
            value.check(self);
            self.path.pop();
        }
    }
}

fn is_uuid_or_empty(text: &str) -> bool {
    text.is_empty() || text.parse::<OrganizationId>().is_ok()
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// A bound as `ProtoJSON` writes it; every bound in use is of whole seconds.
fn seconds(nanos: i128) -> String {
    format!("{}s", nanos / NANOS_PER_SECOND)
}
