//! The codecs of record batches: packing, and unpacking within a bound.

mod bounded;
mod encoding;
mod error;
mod snappy;

pub use bounded::decompress;
pub use encoding::{Encoding, compress};
pub use error::CodecError;
