//! What the generators ask about messages.

use std::collections::BTreeMap;

use heck::ToUpperCamelCase;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};

/// All messages reachable from those that `of_method` gives of each method, without
/// those of `google.protobuf`, in the order of their full names.
pub fn reachable(
    pool: &DescriptorPool,
    of_method: impl Fn(&MethodDescriptor) -> MessageDescriptor,
) -> Vec<MessageDescriptor> {
    let mut found = BTreeMap::new();
    let mut open: Vec<_> = pool
        .services()
        .flat_map(|service| service.methods().map(|method| of_method(&method)).collect::<Vec<_>>())
        .collect();
    while let Some(message) = open.pop() {
        let is_new = message.package_name() != "google.protobuf"
            && found.insert(message.full_name().to_owned(), message.clone()).is_none();
        if is_new {
            open.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
        }
    }
    found.into_values().collect()
}

/// The path of the Rust module of a package below the module `proto`.
pub fn rust_module(package: &str) -> String {
    package.replace('.', "::")
}

/// The path of the Rust type of `message` below the module `proto`.
pub fn rust_path(message: &MessageDescriptor) -> String {
    format!("{}::{}", rust_module(message.package_name()), message.name().to_upper_camel_case())
}
