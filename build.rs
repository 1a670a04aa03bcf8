//! Turns `proto/` into Rust: messages and gRPC stubs (prost, tonic), the JSON of
//! answers, the validators of `buf.validate` rules, and `Debug` that hides secrets.
//!
//! The protobuf compiler is protox, a library: no `protoc` need be installed.

use std::{env, error::Error, fs, path::PathBuf};

#[path = "build/json.rs"]
mod json;
#[path = "build/messages.rs"]
mod messages;
#[path = "build/redaction.rs"]
mod redaction;
#[path = "build/rules.rs"]
mod rules;

use prost_reflect::DescriptorPool;

const ROOT: &str = "proto";
const FILES: [&str; 6] = [
    "gitpod/v1/organization.proto",
    "gitpod/v1/identity.proto",
    "scimd/v1/account.proto",
    "scimd/v1/directory.proto",
    "scimd/v1/error.proto",
    "scimd/v1/webhook.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    println!("cargo:rerun-if-changed=build");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);

    let mut compiler = protox::Compiler::new([ROOT])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(FILES)?;
    // Encoded by the compiler itself, because the typed set drops the bytes of
    // custom options, and with them every buf.validate rule.
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptor_set.bin"), &encoded)?;
    let pool = DescriptorPool::decode(encoded.as_slice())?;

    let redacted = redaction::messages_with_secrets(&pool);
    let mut messages = prost_build::Config::new();
    messages.enable_type_names();
    messages.skip_debug(redacted.iter().map(prost_reflect::MessageDescriptor::full_name));
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds_with_config(compiler.file_descriptor_set(), messages)?;

    fs::write(out.join("redaction.rs"), redaction::generate(&redacted))?;
    fs::write(out.join("rules.rs"), rules::generate(&pool))?;
    fs::write(out.join("json.rs"), json::generate(&pool))?;
    Ok(())
}
