//! `Cursor`: where reading goes on, as opaque text that the client keeps.

use std::fmt;

use aquifer_types::TopicId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::layout::{Malformed, Reader, Writer};
use crate::places::{Positions, read_positions, write_positions};

/// No other way to name a place in a topic begins like this.
const PREFIX: &str = "c.";
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// What a cursor holds at most, so that its text stays below its limit even if every partition is of another topic.
const POSITIONS_MAX: usize = 1_000;

const VERSION: u8 = 1;
const OF_READ: u8 = 1;
const OF_GROUP: u8 = 2;
const GROUP_HASH_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 4;

/// Where reading goes on in the partitions of a topic, or in those of a session. Not a permission: who may read is asked
/// whenever it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    reader: Reading,
    positions: Positions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Topic(TopicId),
    Group { hash: [u8; GROUP_HASH_BYTES], tenure: u32 },
}

/// What a cursor says to a session of its group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How often what the session owns had changed when the cursor was given out.
    pub tenure: u32,
    pub positions: Positions,
}

/// The cursor cannot be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    #[error("cursor is not one that this gateway gave out; pass it on unchanged")]
    Malformed,
    #[error("cursor is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    #[error("cursor belongs to another topic, or to one of this name that was deleted")]
    OtherTopic,
    #[error("cursor belongs to another consumer group")]
    OtherGroup,
    #[error("cursor belongs to a consumer group, not to a topic's records")]
    OfGroup,
    #[error("cursor belongs to a topic's records, not to a consumer group")]
    OfTopic,
}

impl Cursor {
    /// Where the partitions of a topic are read next; positions of other topics are left out.
    #[must_use]
    pub fn of_topic(topic: TopicId, positions: Positions) -> Cursor {
        let own = positions.into_iter().filter(|(place, _)| place.topic == topic);
        Cursor { reader: Reading::Topic(topic), positions: own.take(POSITIONS_MAX).collect() }
    }

    /// Where a group's session reads next. What exceeds a cursor's room is left out: it is read again from what was
    /// committed.
    #[must_use]
    pub fn of_group(group: &str, progress: Progress) -> Cursor {
        let kept = progress.positions.into_iter().take(POSITIONS_MAX);
        let reader = Reading::Group { hash: group_hash(group), tenure: progress.tenure };
        Cursor { reader, positions: kept.collect() }
    }

    /// The cursor in `text`, of whatever kind.
    pub fn parse(text: &str) -> Result<Cursor, CursorError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CursorError::TooLong);
        }
        // Where a place may be named in several ways, clients put the prefix in front of what has one already.
        let bare = text.strip_prefix(PREFIX).unwrap_or(text);
        let bare = bare.strip_prefix(PREFIX).unwrap_or(bare);
        let bytes = URL_SAFE_NO_PAD.decode(bare).map_err(|_not_base64| CursorError::Malformed)?;
        Cursor::decode(&bytes).map_err(|Malformed| CursorError::Malformed)
    }

    /// Whether `text` can be nothing but a cursor.
    #[must_use]
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The positions, if they are of this topic.
    pub fn in_topic(self, topic: TopicId) -> Result<Positions, CursorError> {
        match self.reader {
            Reading::Topic(own) if own == topic => Ok(self.positions),
            Reading::Topic(_) => Err(CursorError::OtherTopic),
            Reading::Group { .. } => Err(CursorError::OfGroup),
        }
    }

    /// The positions, if they are of this group.
    pub fn in_group(self, group: &str) -> Result<Progress, CursorError> {
        match self.reader {
            Reading::Group { hash, tenure } if hash == group_hash(group) => {
                Ok(Progress { tenure, positions: self.positions })
            }
            Reading::Group { .. } => Err(CursorError::OtherGroup),
            Reading::Topic(_) => Err(CursorError::OfTopic),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(VERSION);
        match &self.reader {
            Reading::Topic(topic) => {
                writer.byte(OF_READ);
                writer.uuid(topic.0);
            }
            Reading::Group { hash, tenure } => {
                writer.byte(OF_GROUP);
                writer.bytes.extend_from_slice(hash);
                writer.number(u64::from(*tenure));
            }
        }
        write_positions(&mut writer, &self.positions);
        let checksum = crc32c::crc32c(&writer.bytes).to_be_bytes();
        writer.bytes.extend_from_slice(&checksum);
        writer.bytes
    }

    fn decode(bytes: &[u8]) -> Result<Cursor, Malformed> {
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Malformed)?;
        if crc32c::crc32c(body).to_be_bytes() != *checksum {
            return Err(Malformed);
        }
        let mut reader = Reader::new(body);
        if reader.byte()? != VERSION {
            return Err(Malformed);
        }
        let reading = match reader.byte()? {
            OF_READ => Reading::Topic(TopicId(reader.uuid()?)),
            OF_GROUP => {
                let hash = reader.array()?;
                Reading::Group { hash, tenure: reader.number_upto(u64::from(u32::MAX))? as u32 }
            }
            _ => return Err(Malformed),
        };
        let positions = read_positions(&mut reader)?;
        reader.end()?;
        let of_others = |topic| positions.keys().any(|place| place.topic != topic);
        if positions.len() > POSITIONS_MAX || matches!(reading, Reading::Topic(topic) if of_others(topic)) {
            return Err(Malformed);
        }
        Ok(Cursor { reader: reading, positions })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(self.encode()))
    }
}

fn group_hash(group: &str) -> [u8; GROUP_HASH_BYTES] {
    let whole = digest(&SHA256, group.as_bytes());
    let mut hash = [0; GROUP_HASH_BYTES];
    hash.copy_from_slice(&whole.as_ref()[..GROUP_HASH_BYTES]);
    hash
}
