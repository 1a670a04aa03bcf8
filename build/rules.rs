//! Validators generated from the `buf.validate` options of every message that
//! a request can carry. The `.proto` is the one place where a rule is written;
//! a rule that this generator does not know stops the build.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, Value,
};

use crate::messages::{reachable, rust_path};

/// The expressions of the Common Expression Language that are in use, and the
/// functions that mean the same.
const EXPRESSIONS: [(&str, &str); 1] = [(
    "this == '' || this.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",
    "is_uuid_or_empty",
)];

/// Source text of one `impl Validate` per message, for `src/service/rules.rs`
/// to include.
pub fn generate(pool: &DescriptorPool) -> String {
    let mut source = String::new();
    for message in reachable(pool, MethodDescriptor::input) {
        let checks: Vec<_> = message.fields().filter_map(|field| check(pool, &field)).collect();
        let found = if checks.is_empty() { "_found" } else { "found" };
        let path = rust_path(&message);
        let checks = checks.join("\n        ");
        write!(
            source,
            "impl Validate for crate::proto::{path} {{\n    \
             fn check(&self, {found}: &mut Violations) {{\n        {checks}\n    }}\n}}\n"
        )
        .expect("writing to a String cannot fail");
    }
    source
}

/// The statement that checks one field, or `None` where it has nothing to check.
fn check(pool: &DescriptorPool, field: &FieldDescriptor) -> Option<String> {
    let mut rules = Rules::of(pool, field);
    let name = field.name();
    let unsupported = |what: &str| panic!("{}: {what} is not supported", field.full_name());
    if field.is_map() {
        unsupported("validation of a map");
    }
    if field.is_list() {
        // The elements keep their own rules, if they are messages.
        if !matches!(field.kind(), Kind::Message(_)) {
            unsupported("validation of a repeated field of this type");
        }
        let max_items = rules.length("repeated.max_items");
        if let Some(rule) = rules.0.keys().next() {
            unsupported(&format!("the rule {rule}"));
        }
        return Some(format!("found.repeated({name:?}, &self.{name}, {max_items});"));
    }
    // Without explicit presence the zero value is the absent one, and only
    // `required` refuses it; every other rule still sees it.
    let value = match (field.kind(), field.supports_presence()) {
        (Kind::Message(_), _) => format!("self.{name}.as_ref()"),
        (Kind::String, true) => format!("self.{name}.as_deref()"),
        (Kind::String, false) => format!("Some(self.{name}.as_str())"),
        (_, true) => format!("self.{name}"),
        (_, false) => format!("Some(self.{name})"),
    };
    let required = rules.flag("required");
    let statement = match field.kind() {
        Kind::Message(message) if message.full_name() == "google.protobuf.Duration" => {
            let (gte, lte) = (rules.duration("duration.gte"), rules.duration("duration.lte"));
            format!(
                "found.duration({name:?}, {value}, &DurationRules {{ required: {required}, gte: {gte}, lte: {lte} }});"
            )
        }
        Kind::Message(_) => format!("found.message({name:?}, {value}, {required});"),
        _ if rules.is_empty() && !required => return None,
        Kind::String => {
            let custom = rules.custom();
            let (min_len, max_len) =
                (rules.length("string.min_len"), rules.length("string.max_len"));
            let uuid = rules.flag("string.uuid");
            format!(
                "found.string({name:?}, {value}, &StringRules {{ required: {required}, min_len: {min_len}, max_len: {max_len}, uuid: {uuid}, custom: {custom} }});"
            )
        }
        Kind::Int32 => {
            let (gte, lte) = (rules.int32("int32.gte"), rules.int32("int32.lte"));
            format!(
                "found.int32({name:?}, {value}, &Int32Rules {{ required: {required}, gte: {gte}, lte: {lte} }});"
            )
        }
        kind => unsupported(&format!("validation of {kind:?}")),
    };
    if let Some(rule) = rules.0.keys().next() {
        unsupported(&format!("the rule {rule}"));
    }
    Some(statement)
}

/// The rules of one field by their path (`string.max_len`). Each is taken out
/// when it is turned into code, so that what is left was not understood.
struct Rules(BTreeMap<String, Value>);

impl Rules {
    fn of(pool: &DescriptorPool, field: &FieldDescriptor) -> Self {
        let extension =
            pool.get_extension_by_name("buf.validate.field").expect("buf/validate is imported");
        let mut rules = BTreeMap::new();
        let options = field.options();
        if options.has_extension(&extension) {
            let value = options.get_extension(&extension);
            flatten("", value.as_message().expect("FieldRules is a message"), &mut rules);
        }
        Self(rules)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn flag(&mut self, path: &str) -> bool {
        self.0.remove(path).is_some_and(|value| value.as_bool().expect("a bool rule"))
    }

    /// The rules in the Common Expression Language, each as a function of
    /// `src/service/rules.rs` and what to say of a value that it refuses.
    fn custom(&mut self) -> String {
        let rules = self.0.remove("cel");
        let rules = rules.iter().flat_map(|rules| rules.as_list().expect("`cel` is repeated"));
        let pairs: Vec<_> = rules
            .map(|rule| {
                let rule = rule.as_message().expect("a Rule");
                let part = |name| {
                    let value = rule.get_field_by_name(name).expect("a field of Rule");
                    value.as_str().expect("a string").to_owned()
                };
                let expression = part("expression");
                let known = EXPRESSIONS.iter().find(|(known, _)| *known == expression);
                let (_, function) = known.unwrap_or_else(|| panic!("unknown: {expression}"));
                format!("({function}, {:?})", part("message"))
            })
            .collect();
        format!("&[{}]", pairs.join(", "))
    }

    fn length(&mut self, path: &str) -> String {
        let length = self.0.remove(path);
        format!("{:?}", length.map(|value| value.as_u64().expect("a length")))
    }

    fn int32(&mut self, path: &str) -> String {
        let bound = self.0.remove(path);
        format!("{:?}", bound.map(|value| value.as_i32().expect("an int32 bound")))
    }

    /// A bound in nanoseconds, which hold every protobuf duration in an `i128`.
    fn duration(&mut self, path: &str) -> String {
        let mut part = |name: &str| self.0.remove(&format!("{path}.{name}"));
        let (seconds, nanos) = (part("seconds"), part("nanos"));
        let bound = (seconds.is_some() || nanos.is_some()).then(|| {
            i128::from(seconds.and_then(|value| value.as_i64()).unwrap_or(0)) * 1_000_000_000
                + i128::from(nanos.and_then(|value| value.as_i32()).unwrap_or(0))
        });
        format!("{bound:?}")
    }
}

fn flatten(prefix: &str, message: &DynamicMessage, rules: &mut BTreeMap<String, Value>) {
    for (field, value) in message.fields() {
        let path = format!("{prefix}{}", field.name());
        match value {
            Value::Message(nested) => flatten(&format!("{path}."), nested, rules),
            value => drop(rules.insert(path, value.clone())),
        }
    }
}
