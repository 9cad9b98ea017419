//! `decompress`: unpacks records, never to more than a bound.

use std::io::{self, Read};

use super::error::CodecError;
use super::snappy;
use crate::attributes::Compression;

const STEP_BYTES: usize = 32 * 1024;

/// Unpacks `input` into `output`, which is cleared first and never grows beyond `max`.
pub fn decompress(
    compression: Compression,
    input: &[u8],
    max: usize,
    output: &mut Vec<u8>,
) -> Result<(), CodecError> {
    output.clear();
    let unpacked = unpack(compression, input, max, output);
    if unpacked.is_err() {
        output.clear();
    }
    unpacked
}

fn unpack(
    compression: Compression,
    input: &[u8],
    max: usize,
    output: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match compression {
        Compression::None => {
            if input.len() > max {
                return Err(CodecError::TooLarge { max });
            }
            output.extend_from_slice(input);
            Ok(())
        }
        Compression::Gzip => read_bounded(flate2::bufread::MultiGzDecoder::new(input), max, output),
        Compression::Snappy => snappy::decompress(input, max, output),
        Compression::Lz4 => {
            let mut decoder = lz4::Decoder::new(input).map_err(CodecError::Malformed)?;
            read_bounded(&mut decoder, max, output)?;
            // Reading ends at a cut as it does at the frame's end mark; only this tells them apart.
            decoder.finish().1.map_err(CodecError::Malformed)
        }
        Compression::Zstd => read_bounded(
            zstd::stream::read::Decoder::with_buffer(input).map_err(CodecError::Malformed)?,
            max,
            output,
        ),
    }
}

/// Reads to the end in steps, so that memory grows with what was unpacked and not with what a header claims.
fn read_bounded(mut reader: impl Read, max: usize, output: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut filled = 0;
    loop {
        if filled == output.len() {
            // One byte beyond the bound tells a full output from one that goes on.
            let grown = (filled + STEP_BYTES.max(filled)).min(max.saturating_add(1));
            output.resize(grown, 0);
        }
        match reader.read(&mut output[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CodecError::Malformed(error)),
        }
        if filled > max {
            return Err(CodecError::TooLarge { max });
        }
    }
    output.truncate(filled);
    Ok(())
}
