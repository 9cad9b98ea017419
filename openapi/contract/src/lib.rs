//! The messages of `openapi/proto` as Rust has them, and their descriptors; written by this crate's test.

#[allow(clippy::all, unused_qualifications, reason = "generated")]
#[path = "aquifer.v1.rs"]
#[rustfmt::skip]
pub mod v1;

/// All files of `openapi/proto`, as reflection tells them.
pub const DESCRIPTORS: &[u8] = include_bytes!("descriptors.bin");
