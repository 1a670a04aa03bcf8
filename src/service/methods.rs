//! Which methods there are, by the compiled descriptor. What a method may be
//! called with follows from its `idempotency_level`, so that a new method has
//! its access rule the day that it is written.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_types::method_options::IdempotencyLevel;

use super::wire::DESCRIPTORS;
use crate::auth::Access;

/// What there is to know of the method at `path` (`/package.Service/Method`); `None`
/// where there is no such method.
pub fn method(path: &str) -> Option<Method> {
    METHODS.get(path).copied()
}

/// A method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// What it does to the store.
    pub access: Access,
    /// Whether it answers with a stream.
    pub is_stream: bool,
}

static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    let methods = DESCRIPTORS.services().flat_map(|service| {
        service
            .methods()
            .map(|method| {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
                let access = match options.idempotency_level() {
                    IdempotencyLevel::NoSideEffects => Access::Read,
                    IdempotencyLevel::Idempotent | IdempotencyLevel::IdempotencyUnknown => {
                        Access::Write
                    }
                };
                (path, Method { access, is_stream: method.is_server_streaming() })
            })
            .collect::<Vec<_>>()
    });
    methods.collect()
});
