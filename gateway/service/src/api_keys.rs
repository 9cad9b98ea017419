//! `ApiKeys`: callers known by keys from a file.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};

use crate::principal::{Authenticator, Principal};

const KEY_BYTES_MIN: usize = 16;

/// Who has which key. Only hashes are kept, so that looking one up tells nothing of the others by how long it takes.
pub struct ApiKeys(BTreeMap<[u8; 32], Principal>);

/// The file is not one of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApiKeys {
    #[error("line {0} is not a name, a space and a key")]
    Line(usize),
    #[error("the key in line {0} has fewer than {KEY_BYTES_MIN} characters")]
    Short(usize),
    #[error("the key in line {0} stands in a line before")]
    Twice(usize),
    #[error("there is no key in it")]
    Empty,
}

impl ApiKeys {
    /// A name and a key a line; empty lines and those that begin with # are passed over.
    pub fn from_lines(text: &str) -> Result<ApiKeys, InvalidApiKeys> {
        let mut keys = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), index + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let (Some(name), Some(key), None) = (words.next(), words.next(), words.next()) else {
                return Err(InvalidApiKeys::Line(number));
            };
            if key.len() < KEY_BYTES_MIN {
                return Err(InvalidApiKeys::Short(number));
            }
            if keys.insert(hash(key), Principal::user(name)).is_some() {
                return Err(InvalidApiKeys::Twice(number));
            }
        }
        if keys.is_empty() { Err(InvalidApiKeys::Empty) } else { Ok(ApiKeys(keys)) }
    }
}

impl Authenticator for ApiKeys {
    fn identify(&self, credential: Option<&str>) -> Option<Principal> {
        self.0.get(&hash(credential?)).cloned()
    }
}

fn hash(key: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    bytes
}

#[cfg(test)]
mod api_keys_test {
    use super::*;

    #[test]
    fn who_brings_a_key_is_its_owner_and_nobody_else_is_anybody() {
        let text = "# callers\nalice 0123456789abcdef\n\nbob fedcba9876543210\n";
        let keys = ApiKeys::from_lines(text).expect("keys");
        assert_eq!(keys.identify(Some("0123456789abcdef")), Some(Principal::user("alice")));
        assert_eq!(keys.identify(Some("fedcba9876543210")), Some(Principal::user("bob")));
        assert_eq!(keys.identify(Some("0123456789abcdee")), None);
        assert_eq!(keys.identify(None), None);
    }

    #[test]
    fn what_is_no_list_of_keys_is_refused() {
        let refused = |text: &str| ApiKeys::from_lines(text).err();
        assert_eq!(refused("# nobody\n"), Some(InvalidApiKeys::Empty));
        assert_eq!(refused("alice\n"), Some(InvalidApiKeys::Line(1)));
        assert_eq!(refused("\nalice short\n"), Some(InvalidApiKeys::Short(2)));
        assert_eq!(refused("alice 0123456789abcdef\nbob 0123456789abcdef"), Some(InvalidApiKeys::Twice(2)));
    }
}
