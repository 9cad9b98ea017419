//! The HTTP port: the only door to axum.
#![forbid(unsafe_code)]

mod ops;

pub use ops::{Probe, Readiness, serve};
