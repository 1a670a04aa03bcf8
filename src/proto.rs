//! The code that `build.rs` makes of `proto/`: messages, gRPC stubs, and the
//! compiled descriptor.

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    reason = "generated; the documentation of fields is that of the .proto"
)]

/// The control plane's public contract.
pub mod gitpod {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("gitpod.v1");
    }
}

/// What scimd adds to it.
pub mod scimd {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("scimd.v1");
    }
}

include!(concat!(env!("OUT_DIR"), "/redaction.rs"));

/// Every `.proto` that is compiled in, with imports, comments and options: a
/// serialized `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.bin"));
