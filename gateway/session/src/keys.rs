//! `Keys`: secrets that all gateways share, and what is sealed with them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};

use aquifer_types::TimestampMs;

use crate::layout::{Malformed, Reader};

pub const NONCE_BYTES: usize = 12;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const KEY_BYTES: usize = 32;
const HEADER_BYTES: usize = 2 + KEY_ID_BYTES + NONCE_BYTES;
const TEXT_BYTES_MAX: usize = 32 * 1024;

/// Shorter secrets can be guessed.
const SECRET_BYTES_MIN: usize = 16;
const SECRETS_MAX: usize = 8;

const SALT: &[u8] = b"aquifer gateway tokens, version 1";

/// The keys of a set of gateways: the first seals, all of them open.
#[derive(Debug)]
pub struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: [u8; KEY_ID_BYTES],
    sealing: LessSafeKey,
}

/// What a token is for; one kind never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Session = 1,
    Producer = 2,
    Instance = 3,
}

/// The secrets cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    #[error("there is no secret; write at least one line of {SECRET_BYTES_MIN} or more random characters")]
    Empty,
    #[error(
        "secret {0} is shorter than {SECRET_BYTES_MIN} characters; use `openssl rand -base64 32` or the like"
    )]
    Short(usize),
    #[error("there are more than {SECRETS_MAX} secrets; remove those that no token is sealed with any more")]
    TooMany,
    #[error("secret {0} stands there twice")]
    Twice(usize),
}

/// The token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("token is not one that a gateway gave out; pass it on unchanged")]
    Malformed,
    #[error(
        "token is sealed with a key that this gateway does not have; gateways of one cluster share one secret file"
    )]
    UnknownKey,
    #[error("token was changed, or is forged")]
    Forged,
    #[error("token is of another kind")]
    OtherKind,
    #[error("token belongs to another cluster")]
    OtherCluster,
    #[error("token belongs to another principal")]
    OtherPrincipal,
    #[error("session expired; open another one")]
    Expired { at: TimestampMs },
}

impl From<Malformed> for TokenError {
    fn from(Malformed: Malformed) -> TokenError {
        TokenError::Malformed
    }
}

impl Keys {
    /// One secret a line, the first of which seals; blank lines and those beginning with `#` say nothing.
    pub fn from_lines(text: &str) -> Result<Keys, SecretsError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Keys::from_secrets(lines.map(str::as_bytes))
    }

    pub fn from_secrets<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Result<Keys, SecretsError> {
        let mut keys: Vec<Key> = Vec::new();
        for (index, secret) in secrets.into_iter().enumerate() {
            let number = index + 1;
            if secret.len() < SECRET_BYTES_MIN {
                return Err(SecretsError::Short(number));
            }
            if keys.len() == SECRETS_MAX {
                return Err(SecretsError::TooMany);
            }
            let key = Key::derived(secret);
            if keys.iter().any(|known| known.id == key.id) {
                return Err(SecretsError::Twice(number));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(SecretsError::Empty) } else { Ok(Keys(keys)) }
    }

    /// Text that nobody without a key can read or change. The nonce must never be the same twice.
    pub(crate) fn seal(&self, kind: Kind, nonce: [u8; NONCE_BYTES], content: &[u8]) -> String {
        let key = &self.0[0];
        let mut header = [0; HEADER_BYTES];
        header[0] = VERSION;
        header[1] = kind as u8;
        header[2..2 + KEY_ID_BYTES].copy_from_slice(&key.id);
        header[2 + KEY_ID_BYTES..].copy_from_slice(&nonce);
        let mut sealed = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.sealing
            .seal_in_place_append_tag(nonce, Aad::from(header), &mut sealed)
            .expect("a token is far below what the cipher can take");
        let mut token = header.to_vec();
        token.append(&mut sealed);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// What was sealed.
    pub(crate) fn open(&self, kind: Kind, token: &str) -> Result<Vec<u8>, TokenError> {
        if token.len() > TEXT_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_not_base64| TokenError::Malformed)?;
        let (header, sealed) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(TokenError::Malformed)?;
        let mut reader = Reader::new(header);
        if reader.byte()? != VERSION {
            return Err(TokenError::Malformed);
        }
        let stated = reader.byte()?;
        let id: [u8; KEY_ID_BYTES] = reader.array()?;
        let nonce = Nonce::assume_unique_for_key(reader.array()?);
        let key = self.0.iter().find(|key| key.id == id).ok_or(TokenError::UnknownKey)?;
        let mut sealed = sealed.to_vec();
        let opened = key.sealing.open_in_place(nonce, Aad::from(*header), &mut sealed);
        let opened = opened.map_err(|_unspecified| TokenError::Forged)?;
        if stated != kind as u8 {
            return Err(TokenError::OtherKind);
        }
        Ok(opened.to_vec())
    }
}

impl Key {
    fn derived(secret: &[u8]) -> Key {
        let mut bytes = [0; KEY_BYTES];
        derive(secret, b"seal", &mut bytes);
        let mut id = [0; KEY_ID_BYTES];
        derive(secret, b"id", &mut id);
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).expect("the key has the cipher's length");
        Key { id, sealing: LessSafeKey::new(key) }
    }
}

fn derive(secret: &[u8], purpose: &[u8], output: &mut [u8]) {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let root = Salt::new(HKDF_SHA256, SALT).extract(secret);
    let info = [purpose];
    let derived = root.expand(&info, Length(output.len())).expect("so little can always be derived");
    derived.fill(output).expect("the length is the one asked for");
}
