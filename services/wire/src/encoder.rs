//! `Encoder`: writes one message, leaving record bytes out of its buffer as pieces of their own.

use bytes::{BufMut, Bytes, BytesMut};

use crate::records::{Hole, Records};

/// Record bytes below this are copied into the buffer: a piece of their own would cost more than the copy.
const COPIED_BYTES_MAX: usize = 2048;

/// Enough for most replies but Metadata and Fetch of many partitions, which grow it.
const BUFFER_BYTES: usize = 512;

const TEXT_BYTES_MAX: usize = i16::MAX as usize;

/// A stretch of an encoded frame. Sent in order, with holes filled by the caller, pieces are the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Bytes(Bytes),
    Hole(Hole),
}

/// Why a message has no encoding in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("version {version} of api key {api_key} is unsupported")]
    UnsupportedVersion { api_key: i16, version: i16 },
    #[error("{field} is set, which version {version} lacks")]
    FieldNotInVersion { field: &'static str, version: i16 },
    #[error("{field} is null, which version {version} does not allow")]
    UnexpectedNull { field: &'static str, version: i16 },
    #[error("{field} has {length} bytes or elements, more than the protocol can say")]
    TooLong { field: &'static str, length: usize },
    #[error("frame of {length} bytes is more than the protocol can say")]
    FrameTooLong { length: usize },
}

/// A buffer, and what stands between its bytes.
pub struct Encoder {
    buffer: BytesMut,
    /// Pieces to be put in front of the buffer byte at that position, in order.
    inserted: Vec<(usize, Piece)>,
    version: i16,
    flexible: bool,
    field: &'static str,
}

impl Encoder {
    pub(crate) fn new(version: i16, flexible: bool) -> Encoder {
        let buffer = BytesMut::with_capacity(BUFFER_BYTES);
        Encoder { buffer, inserted: Vec::new(), version, flexible, field: "header" }
    }

    pub(crate) fn version(&self) -> i16 {
        self.version
    }

    pub(crate) fn flexible(&self) -> bool {
        self.flexible
    }

    /// Changes how lengths are written from here on, and says how they were.
    pub(crate) fn set_flexible(&mut self, flexible: bool) -> bool {
        std::mem::replace(&mut self.flexible, flexible)
    }

    /// Names the field that the next writes belong to.
    pub(crate) fn begin(&mut self, field: &'static str) {
        self.field = field;
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    pub(crate) fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    /// Writes a string with its length before it.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), EncodeError> {
        let length = text.len();
        if length > TEXT_BYTES_MAX {
            return Err(EncodeError::TooLong { field: self.field, length });
        }
        if self.flexible {
            self.unsigned_varint(length as u32 + 1);
        } else {
            self.buffer.put_i16(length as i16);
        }
        self.put(text.as_bytes());
        Ok(())
    }

    pub(crate) fn null_text(&mut self) {
        if self.flexible {
            self.unsigned_varint(0);
        } else {
            self.buffer.put_i16(-1);
        }
    }

    /// Writes the length of bytes or records, or the count of an array.
    pub(crate) fn length(&mut self, length: usize) -> Result<(), EncodeError> {
        let Ok(classic) = i32::try_from(length) else {
            return Err(EncodeError::TooLong { field: self.field, length });
        };
        if self.flexible {
            self.unsigned_varint(classic as u32 + 1);
        } else {
            self.buffer.put_i32(classic);
        }
        Ok(())
    }

    pub(crate) fn null_length(&mut self) {
        if self.flexible {
            self.unsigned_varint(0);
        } else {
            self.buffer.put_i32(-1);
        }
    }

    pub(crate) fn records(&mut self, records: &Records) -> Result<(), EncodeError> {
        self.length(records.len())?;
        match records {
            Records::Bytes(bytes) if bytes.len() < COPIED_BYTES_MAX => self.put(bytes),
            Records::Bytes(bytes) => self.inserted.push((self.buffer.len(), Piece::Bytes(bytes.clone()))),
            Records::Hole(hole) => self.inserted.push((self.buffer.len(), Piece::Hole(*hole))),
        }
        Ok(())
    }

    /// Writes a tagged field. Its size stands before it and is known only afterwards, so the value is moved up.
    pub(crate) fn tagged(
        &mut self,
        tag: u32,
        write: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.unsigned_varint(tag);
        let start = self.buffer.len();
        let first_inserted = self.inserted.len();
        write(self)?;

        let value_end = self.buffer.len();
        let inserted: usize = self.inserted[first_inserted..].iter().map(|(_, piece)| piece.len()).sum();
        let size = value_end - start + inserted;
        let Ok(size) = u32::try_from(size) else {
            return Err(EncodeError::TooLong { field: self.field, length: size });
        };
        self.unsigned_varint(size);
        let size_bytes = self.buffer.len() - value_end;
        self.buffer[start..].rotate_right(size_bytes);
        for (position, _) in &mut self.inserted[first_inserted..] {
            *position += size_bytes;
        }
        Ok(())
    }

    pub(crate) fn null(&self) -> EncodeError {
        EncodeError::UnexpectedNull { field: self.field, version: self.version }
    }

    pub(crate) fn not_in_version(&self) -> EncodeError {
        EncodeError::FieldNotInVersion { field: self.field, version: self.version }
    }

    /// What was written, cut where pieces stand between.
    pub(crate) fn into_pieces(mut self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(2 * self.inserted.len() + 1);
        let mut cut = 0;
        for (position, piece) in self.inserted {
            if position > cut {
                pieces.push(Piece::Bytes(self.buffer.split_to(position - cut).freeze()));
                cut = position;
            }
            if !piece.is_empty() {
                pieces.push(piece);
            }
        }
        if !self.buffer.is_empty() {
            pieces.push(Piece::Bytes(self.buffer.freeze()));
        }
        pieces
    }

    /// Like [`Encoder::into_pieces`], for an encoder whose first four bytes were left for the size of what follows.
    pub(crate) fn into_frame(mut self) -> Result<Vec<Piece>, EncodeError> {
        let inserted: usize = self.inserted.iter().map(|(_, piece)| piece.len()).sum();
        let length = self.buffer.len() - 4 + inserted;
        let Ok(size) = i32::try_from(length) else {
            return Err(EncodeError::FrameTooLong { length });
        };
        self.buffer[..4].copy_from_slice(&size.to_be_bytes());
        Ok(self.into_pieces())
    }
}

impl Piece {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Hole(hole) => hole.length as usize,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
