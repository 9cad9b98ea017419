//! `Text`: a Kafka string that may alias the frame it was read from.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use bytestring::ByteString;

/// A string that shares its bytes. One that was decoded keeps its whole frame alive: what outlives the request is
/// copied with [`Text::detached`] or turned into a type of its own.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(ByteString);

/// The bytes are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not valid UTF-8")]
pub struct InvalidText(#[from] std::str::Utf8Error);

impl Text {
    pub const EMPTY: Text = Text(ByteString::from_static(""));

    #[must_use]
    pub const fn from_static(text: &'static str) -> Text {
        Text(ByteString::from_static(text))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text in an allocation of its own.
    #[must_use]
    pub fn detached(&self) -> Text {
        Text::from(self.as_str())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(ByteString::from(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(ByteString::from(text))
    }
}

impl TryFrom<Bytes> for Text {
    type Error = InvalidText;

    fn try_from(bytes: Bytes) -> Result<Text, InvalidText> {
        Ok(Text(ByteString::try_from(bytes)?))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_text_shares_its_bytes_until_it_is_detached() {
        let frame = Bytes::from(b"..topic..".to_vec());

        let text = Text::try_from(frame.slice(2..7)).expect("valid UTF-8");

        assert_eq!(text, "topic");
        assert_eq!(text.as_ptr(), frame[2..].as_ptr());
        assert!(!frame.as_ptr_range().contains(&text.detached().as_ptr()));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert!(Text::try_from(Bytes::from_static(&[0xc3, 0x28])).is_err());
    }

    #[test]
    fn a_map_keyed_by_text_is_searched_by_str() {
        let map = std::collections::BTreeMap::from([(Text::from_static("a"), 1)]);

        assert_eq!(map.get("a"), Some(&1));
    }
}
