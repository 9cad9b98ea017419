//! `Decoder`: reads one message body out of a frame, never past its end and never allocating more than it bears out.

use aquifer_types::Uuid;
use bytes::Bytes;

use crate::text::{InvalidText, Text};

/// How many bytes of memory one byte of a body may claim for array elements. Well-formed traffic stays below ten.
const MEMORY_PER_BYTE: usize = 16;

/// What any body may claim, so that small requests full of one-letter names are not refused.
const MEMORY_FLOOR: usize = 64 * 1024;

/// Kafka's own limit for strings, compact ones too.
const TEXT_BYTES_MAX: usize = i16::MAX as usize;

/// Why bytes are not the message they claim to be. `field` is the last field begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("frame of {length} bytes is too short for a header")]
    ShortFrame { length: usize },
    #[error("api key {api_key} is unknown")]
    UnknownApiKey { api_key: i16 },
    #[error("version {version} of api key {api_key} is unsupported")]
    UnsupportedVersion { api_key: i16, version: i16 },
    #[error("{field} needs {needed} bytes where {remaining} remain")]
    Truncated { field: &'static str, needed: usize, remaining: usize },
    #[error("{field} has the invalid length {length}")]
    InvalidLength { field: &'static str, length: i64 },
    #[error("{field} claims {count} elements where {remaining} bytes remain")]
    CountTooLarge { field: &'static str, count: usize, remaining: usize },
    #[error("{field} would take {needed} bytes of memory where {allowed} are allowed")]
    TooMuchMemory { field: &'static str, needed: usize, allowed: usize },
    #[error("{field} is null")]
    UnexpectedNull { field: &'static str },
    #[error("{field} is not valid UTF-8")]
    InvalidText { field: &'static str, source: InvalidText },
    #[error("{field} has a variable-length number beyond 32 bits")]
    InvalidVarint { field: &'static str },
    #[error("tagged field {tag} does not fill its size")]
    TaggedSize { tag: u32 },
    #[error("{length} bytes follow the body")]
    TrailingBytes { length: usize },
}

/// A position in a frame, with what the bytes there mean: the version, and whether it is a flexible one.
pub struct Decoder<'a> {
    frame: &'a Bytes,
    position: usize,
    end: usize,
    version: i16,
    flexible: bool,
    field: &'static str,
    memory_left: usize,
}

/// A tagged field that is being read.
pub(crate) struct Tagged {
    pub(crate) tag: u32,
    end: usize,
    outer_end: usize,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(frame: &'a Bytes, version: i16, flexible: bool) -> Decoder<'a> {
        let memory_left = frame.len().saturating_mul(MEMORY_PER_BYTE).saturating_add(MEMORY_FLOOR);
        Decoder { frame, position: 0, end: frame.len(), version, flexible, field: "header", memory_left }
    }

    pub(crate) fn version(&self) -> i16 {
        self.version
    }

    pub(crate) fn flexible(&self) -> bool {
        self.flexible
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Names the field that the next reads belong to.
    pub(crate) fn begin(&mut self, field: &'static str) {
        self.field = field;
    }

    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            length => Err(DecodeError::TrailingBytes { length }),
        }
    }

    fn remaining(&self) -> usize {
        self.end - self.position
    }

    fn advance(&mut self, length: usize) -> Result<usize, DecodeError> {
        let remaining = self.remaining();
        if length > remaining {
            return Err(DecodeError::Truncated { field: self.field, needed: length, remaining });
        }
        let start = self.position;
        self.position += length;
        Ok(start)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let start = self.advance(N)?;
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.frame[start..start + N]);
        Ok(bytes)
    }

    pub(crate) fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(crate) fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid::from_bytes(self.array()?))
    }

    pub(crate) fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array::<1>()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::InvalidVarint { field: self.field })
    }

    /// A length or count: compact in flexible versions, else as wide as `read_classic` reads. `None` is null.
    fn length(
        &mut self,
        read_classic: impl FnOnce(&mut Self) -> Result<i32, DecodeError>,
    ) -> Result<Option<usize>, DecodeError> {
        if self.flexible {
            return Ok(self.unsigned_varint()?.checked_sub(1).map(|length| length as usize));
        }
        let length = read_classic(self)?;
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(DecodeError::InvalidLength { field: self.field, length: i64::from(length) }),
        }
    }

    pub(crate) fn text(&mut self) -> Result<Option<Text>, DecodeError> {
        let Some(length) = self.length(|decoder| decoder.i16().map(i32::from))? else {
            return Ok(None);
        };
        if length > TEXT_BYTES_MAX {
            return Err(DecodeError::InvalidLength { field: self.field, length: length as i64 });
        }
        let start = self.advance(length)?;
        let bytes = self.frame.slice(start..start + length);
        match Text::try_from(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(source) => Err(DecodeError::InvalidText { field: self.field, source }),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let Some(length) = self.length(Self::i32)? else {
            return Ok(None);
        };
        let start = self.advance(length)?;
        Ok(Some(self.frame.slice(start..start + length)))
    }

    /// The count of an array whose elements take at least `element_min` bytes here and `element_memory` in memory.
    /// Whoever gets it may allocate that many.
    pub(crate) fn count(
        &mut self,
        element_min: usize,
        element_memory: usize,
    ) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.length(Self::i32)? else {
            return Ok(None);
        };
        let remaining = self.remaining();
        if count.saturating_mul(element_min.max(1)) > remaining {
            return Err(DecodeError::CountTooLarge { field: self.field, count, remaining });
        }
        let needed = count.saturating_mul(element_memory);
        if needed > self.memory_left {
            let allowed = self.memory_left;
            return Err(DecodeError::TooMuchMemory { field: self.field, needed, allowed });
        }
        self.memory_left -= needed;
        Ok(Some(count))
    }

    /// Opens the next tagged field: until it is closed, nothing beyond its size can be read.
    pub(crate) fn open_tagged(&mut self) -> Result<Tagged, DecodeError> {
        let tag = self.unsigned_varint()?;
        let size = self.unsigned_varint()? as usize;
        let remaining = self.remaining();
        if size > remaining {
            return Err(DecodeError::Truncated { field: self.field, needed: size, remaining });
        }
        let outer_end = self.end;
        self.end = self.position + size;
        Ok(Tagged { tag, end: self.end, outer_end })
    }

    /// Passes over a tagged field that this version does not know.
    pub(crate) fn skip_tagged(&mut self) {
        self.position = self.end;
    }

    #[expect(clippy::needless_pass_by_value, reason = "a tagged field is closed once")]
    pub(crate) fn close_tagged(&mut self, tagged: Tagged) -> Result<(), DecodeError> {
        if self.position != tagged.end {
            return Err(DecodeError::TaggedSize { tag: tagged.tag });
        }
        self.end = tagged.outer_end;
        Ok(())
    }

    /// Passes over a whole section of tagged fields.
    pub(crate) fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.unsigned_varint()? {
            let tagged = self.open_tagged()?;
            self.skip_tagged();
            self.close_tagged(tagged)?;
        }
        Ok(())
    }

    pub(crate) fn null(&self) -> DecodeError {
        DecodeError::UnexpectedNull { field: self.field }
    }

    /// What arrays have been allowed to allocate so far.
    #[cfg(test)]
    pub(crate) fn memory_claimed(&self) -> usize {
        self.frame.len() * MEMORY_PER_BYTE + MEMORY_FLOOR - self.memory_left
    }
}
