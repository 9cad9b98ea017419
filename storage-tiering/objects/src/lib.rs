//! The door to object storage: a bucket or folder by URL, objects that are created once, read in ranges, listed and deleted.
//!
//! An object's name is never used twice, so that creating is the only way of writing: whoever is told that an object exists
//! already, or nothing at all, looks whether it is its own.
#![forbid(unsafe_code)]

mod answers;
mod counters;
mod credentials;
mod error;
mod open;
mod probe;
mod store;

pub use counters::{Counters, Operation};
pub use error::{ObjectError, Problem};
pub use open::OpenError;
pub use probe::ProbeError;
pub use store::{InPlace, Listed, Store};
