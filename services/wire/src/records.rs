//! `Records`: record batches inside a message, as bytes or as a hole to be filled from a file.

use bytes::Bytes;

/// The value of a `records` field. Decoding always gives `Bytes` that alias the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    Bytes(Bytes),
    Hole(Hole),
}

/// Record bytes that the caller sends by itself, right where the hole stands among the encoded pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// How many bytes the caller will put here.
    pub length: u32,
    /// Says to the caller which bytes these are; means nothing to the codec.
    pub token: u32,
}

impl Records {
    pub const EMPTY: Records = Records::Bytes(Bytes::new());

    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Records::Bytes(bytes) => bytes.len(),
            Records::Hole(hole) => hole.length as usize,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, unless this is a hole.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Records::Bytes(bytes) => Some(bytes),
            Records::Hole(_) => None,
        }
    }
}

impl Default for Records {
    fn default() -> Records {
        Records::EMPTY
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records::Bytes(bytes)
    }
}

impl From<Hole> for Records {
    fn from(hole: Hole) -> Records {
        Records::Hole(hole)
    }
}
