//! `FencingToken`: a word that a partition and whoever may write to it have in common.

use std::fmt;
use std::str::FromStr;

/// A word for requests that must not be taken once another one is in force: 1 to 36 visible characters of ASCII, enough for
/// the text of a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken {
    /// Zero behind the length, so that equal words are equal.
    bytes: [u8; FencingToken::BYTES_MAX],
    length: u8,
}

/// The text is no fencing token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fencing token has 1 to {max} visible characters of ASCII", max = FencingToken::BYTES_MAX)]
pub struct InvalidFencingToken;

impl FencingToken {
    pub const BYTES_MAX: usize = 36;

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl FromStr for FencingToken {
    type Err = InvalidFencingToken;

    fn from_str(text: &str) -> Result<FencingToken, InvalidFencingToken> {
        let fits = (1..=FencingToken::BYTES_MAX).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidFencingToken);
        }
        let mut bytes = [0; FencingToken::BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(FencingToken { bytes, length: u8::try_from(text.len()).map_err(|_long| InvalidFencingToken)? })
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FencingToken({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_and_what_is_none_is_refused() {
        let token = |text: &str| text.parse::<FencingToken>();
        assert_eq!(token("writer-7").map(|token| token.to_string()), Ok("writer-7".to_owned()));
        assert_ne!(token("a"), token("aa"));
        assert!(token("00000000-0000-0000-0000-000000000000").is_ok());
        for wrong in ["", "two words", "ü", "tab\t", "0000000000000000000000000000000000000"] {
            assert_eq!(token(wrong), Err(InvalidFencingToken), "{wrong:?}");
        }
    }
}
