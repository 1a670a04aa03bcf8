//! The canonical JSON of messages (`ProtoJSON`), generated from the descriptor: one
//! `impl Serialize` for each message that an answer can carry. A kind of field that
//! this generator does not know stops the build.

use std::fmt::Write;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::messages::{reachable, rust_module, rust_path};

/// Source text for `src/service/json.rs` to include.
pub fn generate(pool: &DescriptorPool) -> String {
    let mut source = String::new();
    let mut answered = Vec::new();
    for message in reachable(pool, MethodDescriptor::output) {
        let mut fields: Vec<_> = message.fields().collect();
        fields.sort_by_key(FieldDescriptor::number);
        let entries: Vec<_> = fields.iter().map(|field| entry(&message, field)).collect();
        let (path, entries) = (rust_path(&message), entries.join("\n        "));
        let mutable = if entries.is_empty() { "" } else { "mut " };
        write!(
            source,
            "impl Serialize for crate::proto::{path} {{\n    \
             fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {{\n        \
             let {mutable}json = serializer.serialize_map(None)?;\n        {entries}\n        \
             json.end()\n    }}\n}}\n"
        )
        .expect("writing to a String cannot fail");
        let name = message.full_name();
        answered.push(format!("({name:?}, tests::json::<crate::proto::{path}>)"));
    }
    // What `src/service/json.rs` tests.
    let (count, answered) = (answered.len(), answered.join(", "));
    write!(source, "#[cfg(test)]\nconst ANSWERED: [tests::Written; {count}] = [{answered}];\n")
        .expect("writing to a String cannot fail");
    source
}

/// The statement that writes one field, unless it has its default value.
fn entry(message: &MessageDescriptor, field: &FieldDescriptor) -> String {
    let unsupported = |what: &str| -> ! { panic!("{}: {what} in JSON", field.full_name()) };
    // A name may be a keyword of Rust, such as `type`.
    let (member, json_name) = (format!("self.r#{}", field.name()), field.json_name());
    let write = |value: &str| format!("json.serialize_entry({json_name:?}, {value})?;");
    if field.is_map() {
        unsupported("a map");
    }
    if field.is_list() {
        if written(&field.kind()) != "value" {
            unsupported(&format!("repeated {:?}", field.kind()));
        }
        return format!("let value = &{member}; if !value.is_empty() {{ {} }}", write("value"));
    }
    let write = write(&written(&field.kind()));
    match field.containing_oneof() {
        Some(oneof) if !field.field_descriptor_proto().proto3_optional() => {
            let (module, member) = (message.name().to_snake_case(), oneof.name());
            let kind = member.to_upper_camel_case();
            let variant = field.name().to_upper_camel_case();
            let package = rust_module(message.package_name());
            let kind = format!("crate::proto::{package}::{module}::{kind}::{variant}");
            format!("if let Some({kind}(value)) = &self.{member} {{ {write} }}")
        }
        _ if field.supports_presence() => {
            format!("if let Some(value) = &{member} {{ {write} }}")
        }
        _ => {
            let is_set = match field.kind() {
                Kind::String => "!value.is_empty()".to_owned(),
                Kind::Bool => "*value".to_owned(),
                Kind::Int32 | Kind::Uint32 | Kind::Uint64 | Kind::Enum(_) => {
                    "*value != 0".to_owned()
                }
                kind => unsupported(&format!("{kind:?}")),
            };
            format!("let value = &{member}; if {is_set} {{ {write} }}")
        }
    }
}

/// The expression that serializes `value` as a value of this kind is written in JSON.
fn written(kind: &Kind) -> String {
    match kind {
        Kind::String | Kind::Bool | Kind::Int32 | Kind::Uint32 => "value".to_owned(),
        Kind::Uint64 => "&Text(value)".to_owned(),
        Kind::Enum(of) => {
            let package = rust_module(of.package_name());
            let path = format!("crate::proto::{package}::{}", of.name().to_upper_camel_case());
            format!(
                "&Enumerator::new(*value, {path}::try_from(*value).ok().map(|known| known.as_str_name()))"
            )
        }
        Kind::Message(of) => match of.full_name() {
            "google.protobuf.Timestamp" => "&Moment(value)".to_owned(),
            "google.protobuf.Duration" => "&Text(value)".to_owned(),
            "google.protobuf.Struct" => "&Object(value)".to_owned(),
            name if name.starts_with("google.protobuf.") => panic!("{name} in JSON"),
            _ => "value".to_owned(),
        },
        kind => panic!("{kind:?} in JSON"),
    }
}
