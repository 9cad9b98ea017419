//! `compress` and `Encoding`: a codec with its level.

use std::io::Write as _;

use super::error::CodecError;
use super::snappy;
use crate::attributes::Compression;

const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// A codec and how hard it tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    pub compression: Compression,
    /// Cut to what the codec knows; the codec's default if absent.
    pub level: Option<i32>,
}

impl Encoding {
    pub const NONE: Encoding = Encoding { compression: Compression::None, level: None };
}

impl From<Compression> for Encoding {
    fn from(compression: Compression) -> Encoding {
        Encoding { compression, level: None }
    }
}

/// Packs `input` and appends the result to `output`.
pub fn compress(encoding: Encoding, input: &[u8], output: &mut Vec<u8>) -> Result<(), CodecError> {
    match encoding.compression {
        Compression::None => {
            output.extend_from_slice(input);
            Ok(())
        }
        Compression::Gzip => {
            let level = encoding.level.map_or(GZIP_LEVEL, |level| level.clamp(0, 9).unsigned_abs());
            let mut encoder = flate2::write::GzEncoder::new(output, flate2::Compression::new(level));
            encoder.write_all(input).map_err(CodecError::Compress)?;
            encoder.finish().map(drop).map_err(CodecError::Compress)
        }
        Compression::Snappy => snappy::compress(input, output),
        Compression::Lz4 => lz4(encoding.level, input, output),
        Compression::Zstd => {
            let level = encoding.level.unwrap_or(ZSTD_LEVEL).clamp(-131_072, 22);
            let mut encoder =
                zstd::stream::write::Encoder::new(output, level).map_err(CodecError::Compress)?;
            // A known size keeps the window, and so every reader's memory, no larger than the records.
            encoder.set_pledged_src_size(Some(input.len() as u64)).map_err(CodecError::Compress)?;
            encoder.write_all(input).map_err(CodecError::Compress)?;
            encoder.finish().map(drop).map_err(CodecError::Compress)
        }
    }
}

/// Java's reader takes independent blocks only, and neither sizes nor content checksums are worth their bytes.
fn lz4(level: Option<i32>, input: &[u8], output: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut encoder = lz4::EncoderBuilder::new()
        .level(level.unwrap_or(1).clamp(1, 17).unsigned_abs())
        .block_size(lz4::BlockSize::Max64KB)
        .block_mode(lz4::BlockMode::Independent)
        .checksum(lz4::ContentChecksum::NoChecksum)
        .build(output)
        .map_err(CodecError::Compress)?;
    encoder.write_all(input).map_err(CodecError::Compress)?;
    encoder.finish().1.map_err(CodecError::Compress)
}
