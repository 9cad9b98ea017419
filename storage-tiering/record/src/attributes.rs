//! `Attributes`: the flags of a batch, and the codecs they name.

use aquifer_types::TimestampMs;

const COMPRESSION: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;
const KNOWN: i16 = COMPRESSION | LOG_APPEND_TIME | TRANSACTIONAL | CONTROL | DELETE_HORIZON;

/// A batch's flags, as they stand in its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(pub i16);

/// How the records of a batch are packed. The numbers stand in the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Compression {
    #[default]
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

/// Whose clock a batch's timestamps come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

impl Attributes {
    /// The codec, or `None` where its number is unknown.
    #[must_use]
    pub fn compression(self) -> Option<Compression> {
        Compression::ALL.get(usize::from(self.compression_number())).copied()
    }

    /// The codec's number, known or not.
    #[must_use]
    pub fn compression_number(self) -> u8 {
        self.0.to_le_bytes()[0] & 0b111
    }

    #[must_use]
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    #[must_use]
    pub fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    #[must_use]
    pub fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Compaction put the time at which tombstones may go into the base timestamp.
    #[must_use]
    pub fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    /// The bits that no version of the format has given a meaning.
    #[must_use]
    pub fn unknown_bits(self) -> i16 {
        self.0 & !KNOWN
    }

    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Attributes {
        Attributes((self.0 & !COMPRESSION) | i16::from(compression as u8))
    }

    #[must_use]
    pub fn with_log_append_time(self) -> Attributes {
        Attributes(self.0 | LOG_APPEND_TIME)
    }

    #[must_use]
    pub fn with_transactional(self) -> Attributes {
        Attributes(self.0 | TRANSACTIONAL)
    }

    #[must_use]
    pub fn with_control(self) -> Attributes {
        Attributes(self.0 | CONTROL)
    }

    #[must_use]
    pub fn with_delete_horizon(self) -> Attributes {
        Attributes(self.0 | DELETE_HORIZON)
    }
}

impl Compression {
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// Kafka's name, as configs spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

impl TimestampType {
    /// What a record's timestamp reads as in a batch of this type.
    #[must_use]
    pub(crate) fn of_record(self, created: TimestampMs, batch_max: TimestampMs) -> TimestampMs {
        match self {
            TimestampType::CreateTime => created,
            TimestampType::LogAppendTime => batch_max,
        }
    }
}
