//! `StateObject`: what a bucket says of its cluster beside the ranges, and how these objects are named.
//!
//! ```text
//! {cluster}/state/meta/{incarnation:04x}-{sequence:016x}.aqc               the quorum's state
//! {cluster}/state/groups/{partition:06}/{incarnation:04x}-{sequence:016x}.aqc   what one partition of groups came to
//! ```
//!
//! Each is created once, the newest counts. A restore creates the first `meta` object of the next incarnation: whoever
//! belongs to an older one sees by that name that it is not to write any more.

use std::fmt;
use std::str::FromStr;

use aquifer_types::{ClusterId, TimestampMs, Uuid};

use crate::bytes::Reader;
use crate::key::BadKey;

const MAGIC: [u8; 8] = *b"AQUIFERS";
const VERSION: u32 = 1;
const SUFFIX: &str = ".aqc";

/// What a state object tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKind {
    /// Topics, their settings, and which ranges there are.
    Meta,
    /// The committed offsets of the groups of one partition.
    Groups(i32),
}

/// The name of a state object within its kind; a greater one is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateKey {
    pub incarnation: u16,
    pub sequence: u64,
}

/// A state object's contents; what the body is depends on the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateObject {
    pub cluster: ClusterId,
    pub kind: StateKind,
    pub key: StateKey,
    /// By the clock of whoever wrote it.
    pub written: TimestampMs,
    pub body: Vec<u8>,
}

/// The bytes are no state object, or not the one of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadState {
    #[error("object is no state of a cluster")]
    Foreign,
    #[error("state is of version {0}, which is not known here")]
    Version(u32),
    #[error("state is damaged")]
    Damaged,
    #[error("state is that of another name")]
    Misnamed,
}

impl StateKind {
    /// What the names of all objects of this kind begin with.
    #[must_use]
    pub fn prefix(self, cluster: ClusterId) -> String {
        match self {
            StateKind::Meta => format!("{}meta/", StateKind::all(cluster)),
            StateKind::Groups(partition) => format!("{}groups/{partition:06}/", StateKind::all(cluster)),
        }
    }

    /// What the names of all state objects of a cluster begin with.
    #[must_use]
    pub fn all(cluster: ClusterId) -> String {
        format!("{cluster}/state/")
    }

    /// Kind and key of a name that follows `StateKind::all`.
    pub fn parse(rest: &str) -> Result<(StateKind, StateKey), BadKey> {
        let parse = || {
            let (folder, name) = rest.rsplit_once('/')?;
            let kind = match folder.strip_prefix("groups/") {
                Some(partition) => StateKind::Groups(partition.parse().ok().filter(|number| *number >= 0)?),
                None => (folder == "meta").then_some(StateKind::Meta)?,
            };
            Some((kind, name.parse().ok()?))
        };
        parse().ok_or_else(|| BadKey(rest.to_owned()))
    }

    fn numbers(self) -> [i32; 2] {
        match self {
            StateKind::Meta => [0, 0],
            StateKind::Groups(partition) => [1, partition],
        }
    }
}

impl StateKey {
    /// The name of what comes after it in the same incarnation.
    #[must_use]
    pub fn next(self) -> StateKey {
        StateKey { sequence: self.sequence + 1, ..self }
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}-{:016x}{SUFFIX}", self.incarnation, self.sequence)
    }
}

impl FromStr for StateKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<StateKey, BadKey> {
        let parse = || {
            let (incarnation, sequence) = text.strip_suffix(SUFFIX)?.split_once('-')?;
            let key = StateKey {
                incarnation: u16::from_str_radix(incarnation, 16).ok()?,
                sequence: u64::from_str_radix(sequence, 16).ok()?,
            };
            (key.to_string() == text).then_some(key)
        };
        parse().ok_or_else(|| BadKey(text.to_owned()))
    }
}

impl StateObject {
    /// The whole name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}", self.kind.prefix(self.cluster), self.key)
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 80);
        out.extend(MAGIC);
        out.extend(VERSION.to_be_bytes());
        out.extend(self.cluster.0.as_bytes());
        for number in self.kind.numbers() {
            out.extend(number.to_be_bytes());
        }
        out.extend(self.key.incarnation.to_be_bytes());
        out.extend(self.key.sequence.to_be_bytes());
        out.extend(self.written.0.to_be_bytes());
        out.extend((self.body.len() as u64).to_be_bytes());
        out.extend(&self.body);
        out.extend(crc32c::crc32c(&out).to_be_bytes());
        out
    }

    /// The object of this name.
    pub fn decode(
        bytes: &[u8],
        cluster: ClusterId,
        kind: StateKind,
        key: StateKey,
    ) -> Result<StateObject, BadState> {
        let (content, crc) = bytes.split_last_chunk::<4>().ok_or(BadState::Foreign)?;
        let mut reader = Reader(content);
        if reader.array() != Some(MAGIC) {
            return Err(BadState::Foreign);
        }
        let version = reader.u32().ok_or(BadState::Damaged)?;
        if version != VERSION {
            return Err(BadState::Version(version));
        }
        if crc32c::crc32c(content) != u32::from_be_bytes(*crc) {
            return Err(BadState::Damaged);
        }
        let found = take(&mut reader, kind).ok_or(BadState::Damaged)?;
        let (numbers, object) = found;
        if numbers != kind.numbers() || object.cluster != cluster || object.key != key {
            return Err(BadState::Misnamed);
        }
        Ok(object)
    }
}

fn take(reader: &mut Reader<'_>, kind: StateKind) -> Option<([i32; 2], StateObject)> {
    let cluster = ClusterId(Uuid::from_bytes(reader.array()?));
    let numbers = [reader.i32()?, reader.i32()?];
    let incarnation = u16::from_be_bytes(reader.array()?);
    let key = StateKey { incarnation, sequence: reader.u64()? };
    let written = TimestampMs(reader.i64()?);
    let length = reader.u64()?;
    let body = reader.0;
    let whole = u64::try_from(body.len()).is_ok_and(|found| found == length);
    whole.then(|| (numbers, StateObject { cluster, kind, key, written, body: body.to_vec() }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(kind: StateKind) -> StateObject {
        StateObject {
            cluster: ClusterId(Uuid::from_bytes([1; 16])),
            kind,
            key: StateKey { incarnation: 2, sequence: 0x1f },
            written: TimestampMs(1_000),
            body: b"body".to_vec(),
        }
    }

    fn read(bytes: &[u8], like: &StateObject) -> Result<StateObject, BadState> {
        StateObject::decode(bytes, like.cluster, like.kind, like.key)
    }

    #[test]
    fn an_object_reads_back_under_its_own_name_alone() {
        for kind in [StateKind::Meta, StateKind::Groups(49)] {
            let object = object(kind);

            assert_eq!(read(&object.encode(), &object), Ok(object.clone()));
            let renamed = StateObject { key: object.key.next(), ..object.clone() };
            assert_eq!(read(&object.encode(), &renamed), Err(BadState::Misnamed));
            let other = StateObject { kind: StateKind::Groups(7), ..object.clone() };
            assert_eq!(read(&object.encode(), &other), Err(BadState::Misnamed));
        }
    }

    #[test]
    fn names_read_back_and_sort_by_age() {
        let first = StateKey { incarnation: 1, sequence: u64::MAX };
        let later = StateKey { incarnation: 2, sequence: 0 };

        assert!(first < later && first.to_string() < later.to_string());
        for kind in [StateKind::Meta, StateKind::Groups(0), StateKind::Groups(123)] {
            let object = object(kind);
            let name = object.name();
            let rest = name.strip_prefix(&StateKind::all(object.cluster)).expect("it begins with the prefix");
            assert_eq!(StateKind::parse(rest), Ok((kind, object.key)));
        }
        for foreign in
            ["", "meta/", "meta/1-2.aqc", "groups/0002-000000000000001f.aqc", "x/0002-000000000000001f.aqc"]
        {
            assert!(StateKind::parse(foreign).is_err(), "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn no_damage_goes_unnoticed_and_none_panics(at in 0usize..200, flip in 1u8.., kept in 0usize..200) {
            let object = object(StateKind::Meta);
            let mut bytes = object.encode();
            prop_assert!(kept >= bytes.len() || read(&bytes[..kept], &object).is_err());
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(read(&bytes, &object).is_err());
        }
    }
}
