//! `CodecError`: why bytes were not packed or unpacked.

use std::io;

/// Records could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("records unpack to more than the {max} bytes allowed")]
    TooLarge { max: usize },
    #[error("compressed records are malformed")]
    Malformed(#[source] io::Error),
    #[error("unknown compression {0}")]
    UnknownCompression(u8),
    #[error("compress records")]
    Compress(#[source] io::Error),
}
