//! `Debug` for messages that carry a secret: a field marked `debug_redact` in
//! the `.proto` is printed as `[redacted]`, so that no log line can show it.

use std::fmt::Write;

use heck::ToUpperCamelCase;
use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

use crate::messages::rust_path;

/// The messages in `pool` with at least one field marked `debug_redact`.
pub fn messages_with_secrets(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    pool.all_messages().filter(|message| message.fields().any(|field| is_secret(&field))).collect()
}

/// Source text of one `impl Debug` per message, for `src/proto.rs` to include.
pub fn generate(messages: &[MessageDescriptor]) -> String {
    let mut source = String::new();
    for message in messages {
        let path = rust_path(message);
        let name = message.name().to_upper_camel_case();
        write!(
            source,
            "impl ::std::fmt::Debug for {path} {{\n    \
             fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {{\n        \
             f.debug_struct(\"{name}\")"
        )
        .expect("writing to a String cannot fail");
        for field in message.fields() {
            let field_name = field.name();
            let value = if is_secret(&field) {
                "&\"[redacted]\"".to_owned()
            } else {
                format!("&self.{field_name}")
            };
            write!(source, ".field(\"{field_name}\", {value})")
                .expect("writing to a String cannot fail");
        }
        source.push_str(".finish()\n    }\n}\n");
    }
    source
}

fn is_secret(field: &FieldDescriptor) -> bool {
    let options = field.options();
    options.get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}
