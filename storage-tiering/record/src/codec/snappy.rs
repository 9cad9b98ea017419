//! Snappy as Kafka's clients write it: raw, or in the framing of Java's snappy library.

use std::io;

use super::error::CodecError;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Two versions of the framing: its own, and the oldest that can read it.
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const BLOCK_BYTES: usize = 32 * 1024;
/// No snappy block unpacks to more times its size; a larger claim is refused before memory is taken for it.
const EXPANSION_MAX: usize = 64;

/// Packs in Java's framing, which every client reads.
pub(super) fn compress(input: &[u8], output: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut encoder = snap::raw::Encoder::new();
    output.extend_from_slice(&MAGIC);
    output.extend_from_slice(&VERSIONS);
    for block in input.chunks(BLOCK_BYTES) {
        let at = output.len();
        output.resize(at + 4 + snap::raw::max_compress_len(block.len()), 0);
        let packed = encoder
            .compress(block, &mut output[at + 4..])
            .map_err(|error| CodecError::Compress(io::Error::other(error)))?;
        let length = u32::try_from(packed).map_err(|error| CodecError::Compress(io::Error::other(error)))?;
        output[at..at + 4].copy_from_slice(&length.to_be_bytes());
        output.truncate(at + 4 + packed);
    }
    Ok(())
}

pub(super) fn decompress(input: &[u8], max: usize, output: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut decoder = snap::raw::Decoder::new();
    let Some(mut blocks) = input.strip_prefix(&MAGIC) else {
        return unpack(&mut decoder, input, max, output);
    };
    blocks = blocks.get(VERSIONS.len()..).ok_or_else(|| malformed("framing header is cut off"))?;
    while !blocks.is_empty() {
        let (length, rest) =
            blocks.split_first_chunk().ok_or_else(|| malformed("block length is cut off"))?;
        let length = u32::from_be_bytes(*length) as usize;
        let block = rest.get(..length).ok_or_else(|| malformed("block is cut off"))?;
        unpack(&mut decoder, block, max, output)?;
        blocks = &rest[length..];
    }
    Ok(())
}

fn unpack(
    decoder: &mut snap::raw::Decoder,
    block: &[u8],
    max: usize,
    output: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let claimed = snap::raw::decompress_len(block).map_err(|error| CodecError::Malformed(error.into()))?;
    let at = output.len();
    if claimed > max - at {
        return Err(CodecError::TooLarge { max });
    }
    if claimed > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(malformed("claimed length is impossible"));
    }
    output.resize(at + claimed, 0);
    let unpacked = decoder
        .decompress(block, &mut output[at..])
        .map_err(|error| CodecError::Malformed(io::Error::other(error)))?;
    output.truncate(at + unpacked);
    Ok(())
}

fn malformed(what: &'static str) -> CodecError {
    CodecError::Malformed(io::Error::new(io::ErrorKind::InvalidData, what))
}
