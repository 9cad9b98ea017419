//! The frame of every small file: magic, version, body, CRC32C over all of it.

use bytes::{Buf, BufMut};

const FRAME_BYTES: usize = 12;

/// A file beside the segments is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("the file does not start as its kind does")]
    Magic,
    #[error("the file has format version {0}, which a newer program wrote")]
    Version(u32),
    #[error("the file's checksum does not match its contents")]
    Checksum,
    #[error("the file ends early or holds more than it says")]
    Length,
}

impl From<bytes::TryGetError> for FormatError {
    fn from(_early: bytes::TryGetError) -> FormatError {
        FormatError::Length
    }
}

/// A file's bytes around `body`.
pub(super) fn frame(magic: [u8; 4], version: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + FRAME_BYTES);
    bytes.put_slice(&magic);
    bytes.put_u32_le(version);
    bytes.put_slice(body);
    let crc = crc32c::crc32c(&bytes);
    bytes.put_u32_le(crc);
    bytes
}

/// The body of a file of this kind and version.
pub(super) fn body(magic: [u8; 4], version: u32, bytes: &[u8]) -> Result<&[u8], FormatError> {
    if !bytes.starts_with(&magic) {
        return Err(FormatError::Magic);
    }
    let mut rest = &bytes[4..];
    let found = rest.try_get_u32_le()?;
    if found != version {
        return Err(FormatError::Version(found));
    }
    let (covered, mut crc) = bytes.split_at_checked(bytes.len() - 4).ok_or(FormatError::Length)?;
    if bytes.len() < FRAME_BYTES || crc32c::crc32c(covered) != crc.get_u32_le() {
        return Err(FormatError::Checksum);
    }
    Ok(&covered[8..])
}

/// A count of things of at least `least_bytes` each, which must fit into what is left.
pub(super) fn count(rest: &mut &[u8], least_bytes: usize) -> Result<usize, FormatError> {
    let count = rest.try_get_u32_le()? as usize;
    if count > rest.len() / least_bytes {
        return Err(FormatError::Length);
    }
    Ok(count)
}

/// Nothing may follow the last field.
pub(super) fn ends(rest: &[u8]) -> Result<(), FormatError> {
    if rest.is_empty() { Ok(()) } else { Err(FormatError::Length) }
}
