//! The messages of `openapi/proto` as Rust has them, and their descriptors; written by this crate's test.

/// Of package `aquifer.v1`.
pub mod v1 {
    #![allow(clippy::all, unused_qualifications, reason = "generated")]
    include!("aquifer.v1.rs");
}

/// All files of `openapi/proto`, as reflection tells them.
pub const DESCRIPTORS: &[u8] = include_bytes!("descriptors.bin");
