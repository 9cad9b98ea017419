//! `Uuid`: 16 bytes in Kafka's 22-character form.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 16 bytes, written as Kafka does: URL-safe base64 without padding, 22 characters.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

/// The text is not a UUID in Kafka's 22-character form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID in 22 characters of URL-safe base64")]
pub struct InvalidUuid;

impl Uuid {
    /// Kafka's "no id".
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// The id with these bytes, reserved or not.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Uuid {
        Uuid(bytes)
    }

    /// A version 4 id from 16 random bytes, or `None` where the draw must be repeated: reserved ids, and those whose
    /// text starts with `-`, which command lines would read as a flag.
    #[must_use]
    pub fn from_random(mut random: [u8; 16]) -> Option<Uuid> {
        random[6] = (random[6] & 0x0f) | 0x40;
        random[8] = (random[8] & 0x3f) | 0x80;
        let id = Uuid(random);
        (!id.to_string().starts_with('-')).then_some(id)
    }

    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Uuid::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 22];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).map_err(|_unwritable| fmt::Error)?;
        f.pad(std::str::from_utf8(&text[..written]).map_err(|_unwritable| fmt::Error)?)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Uuid, InvalidUuid> {
        let mut bytes = [0u8; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(16) => Ok(Uuid(bytes)),
            _ => Err(InvalidUuid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_round_trip() {
        let id = Uuid::from_random([0xa5; 16]).expect("does not start with a dash");

        let text = id.to_string();

        assert_eq!(text.len(), 22);
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn an_id_that_reads_as_a_flag_is_drawn_again() {
        assert_eq!(Uuid::from_random([0xfb; 16]), None);
    }

    #[test]
    fn other_lengths_are_refused() {
        assert_eq!("abc".parse::<Uuid>(), Err(InvalidUuid));
        assert_eq!("AAAAAAAAAAAAAAAAAAAAAAAA".parse::<Uuid>(), Err(InvalidUuid));
    }
}
