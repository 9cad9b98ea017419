//! `OffsetMap`: the latest offset of every key of a stretch of the log, in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use aquifer_types::Offset;
use siphasher::sip128::SipHasher24;

/// What stands for a key: a keyed hash of 128 bits, so that nobody can choose keys that are taken for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u64; 2]);

/// Digests are spread already.
#[derive(Clone, Copy, Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}

/// The latest offset of every key seen, up to a number of keys.
#[derive(Clone, Debug)]
pub struct OffsetMap {
    seed: [u64; 2],
    latest: HashMap<Digest, Offset, BuildHasherDefault<AsIs>>,
    keys_max: usize,
}

impl OffsetMap {
    #[must_use]
    pub fn new(keys_max: usize, seed: [u64; 2]) -> OffsetMap {
        OffsetMap { seed, latest: HashMap::default(), keys_max }
    }

    #[must_use]
    pub fn digest(&self, key: &[u8]) -> Digest {
        let hash = SipHasher24::new_with_keys(self.seed[0], self.seed[1]).hash(key);
        Digest([hash.h1, hash.h2])
    }

    /// Takes the keys of one batch, in the order of their offsets; `false` if they do not fit. The first batch always
    /// fits, so that cleaning gets on however many keys a batch has.
    #[must_use]
    pub fn take(&mut self, batch: &[(Digest, Offset)]) -> bool {
        if !self.latest.is_empty() && self.latest.len() + batch.len() > self.keys_max {
            return false;
        }
        self.latest.extend(batch.iter().copied());
        true
    }

    /// The latest offset of `key`, if it was seen.
    #[must_use]
    pub fn latest(&self, key: &[u8]) -> Option<Offset> {
        self.latest.get(&self.digest(key)).copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.latest.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }
}
