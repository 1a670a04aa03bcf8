//! Which methods there are, by the compiled descriptor. What a method may be
//! called with follows from its `idempotency_level`, so that a new method has
//! its access rule the day that it is written.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_types::method_options::IdempotencyLevel;

use super::wire::DESCRIPTORS;
use crate::auth::Access;

/// What the method at `path` (`/package.Service/Method`) does to the store;
/// `None` where there is no such method.
pub fn access(path: &str) -> Option<Access> {
    METHODS.get(path).copied()
}

static METHODS: LazyLock<HashMap<String, Access>> = LazyLock::new(|| {
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
                (path, access)
            })
            .collect::<Vec<_>>()
    });
    methods.collect()
});
