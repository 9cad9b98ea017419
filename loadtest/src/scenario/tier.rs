//! Works on the tier: each starts a store and a server of its own.

use serde::Deserialize;

/// Where ranges are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bucket {
    /// MinIO, a process of its own that speaks S3.
    Minio,
    /// A folder.
    Folder,
}

/// What a tiered topic holds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    pub partitions: i32,
    /// Of each partition.
    pub bytes: usize,
    /// Of each object.
    pub object_bytes: usize,
    pub batch_bytes: usize,
    pub record_bytes: usize,
}

/// Everything read once while nothing of it is cached, beside the same requests made without a server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierReplay {
    pub bucket: Bucket,
    pub history: History,
    /// Under way at a time where there is no server.
    pub requests: usize,
    /// Before the first byte of every answer of the store.
    pub first_byte_ms: u64,
    /// At most, of each connection to the store.
    pub connection_mb_per_second: Option<f64>,
    /// At most, of all connections to the store.
    pub store_mb_per_second: Option<f64>,
}

/// Everything read from parts that are kept on local disk, beside the same that was never tiered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierWarm {
    pub bucket: Bucket,
    pub history: History,
}

/// Single records end to end while others read the tier, or local segments beside equal requests without a server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierReplayLatency {
    pub bucket: Bucket,
    pub history: History,
    /// That others read.
    pub mb_per_second: f64,
    /// Single records.
    pub rate: f64,
}

/// Single records end to end while a backlog is uploaded and the objects of a deleted topic go, beside quiet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierUploadLatency {
    pub bucket: Bucket,
    /// Of the backlog; another topic of that kind is deleted.
    pub history: History,
    /// Single records.
    pub rate: f64,
}

/// The first record at offsets and times that nobody has read near.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierSeek {
    pub bucket: Bucket,
    pub history: History,
    pub seeks: usize,
    pub first_byte_ms: u64,
}

/// How old what is not in the tier becomes, and how soon a store that was away has all of it; requests by what is uploaded.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierUploads {
    pub bucket: Bucket,
    /// What requests are counted for, produced at that pace.
    pub history: History,
    pub history_mb_per_second: f64,
    pub max_age_seconds: u64,
    /// How long ages are looked at.
    pub watched_seconds: f64,
    /// How long the store is away then.
    pub away_seconds: f64,
    /// Produced meanwhile.
    pub mb_per_second: f64,
}

/// Uploads of partitions that hardly anything comes to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierIdle {
    pub bucket: Bucket,
    pub partitions: i32,
    pub max_age_seconds: u64,
    /// Each partition gets a record so often.
    pub batch_interval_seconds: f64,
    /// Counted from the end of the first round of uploads to the end of as many more.
    pub rounds: usize,
}

/// A cluster out of its bucket, and a start with as many ranges.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TierRestore {
    pub partitions: i32,
    pub objects_per_partition: usize,
}

impl Default for History {
    fn default() -> History {
        History {
            partitions: 64,
            bytes: 16 << 20,
            object_bytes: 8 << 20,
            batch_bytes: 1 << 20,
            record_bytes: 1024,
        }
    }
}

impl Default for TierReplay {
    fn default() -> TierReplay {
        TierReplay {
            bucket: Bucket::Minio,
            history: History::default(),
            requests: 32,
            first_byte_ms: 0,
            connection_mb_per_second: None,
            store_mb_per_second: None,
        }
    }
}

impl Default for TierWarm {
    fn default() -> TierWarm {
        TierWarm { bucket: Bucket::Minio, history: History { partitions: 4, ..History::default() } }
    }
}

impl Default for TierReplayLatency {
    fn default() -> TierReplayLatency {
        TierReplayLatency {
            bucket: Bucket::Minio,
            history: History::default(),
            mb_per_second: 100.0,
            rate: 1_000.0,
        }
    }
}

impl Default for TierUploadLatency {
    fn default() -> TierUploadLatency {
        TierUploadLatency { bucket: Bucket::Minio, history: History::default(), rate: 1_000.0 }
    }
}

impl Default for TierSeek {
    fn default() -> TierSeek {
        TierSeek {
            bucket: Bucket::Minio,
            history: History { partitions: 8, ..History::default() },
            seeks: 10,
            first_byte_ms: 0,
        }
    }
}

impl Default for TierUploads {
    fn default() -> TierUploads {
        TierUploads {
            bucket: Bucket::Minio,
            history: History {
                partitions: 16,
                bytes: 64 << 20,
                object_bytes: 16 << 20,
                ..History::default()
            },
            history_mb_per_second: 40.0,
            max_age_seconds: 30,
            watched_seconds: 90.0,
            away_seconds: 120.0,
            mb_per_second: 5.0,
        }
    }
}

impl Default for TierIdle {
    fn default() -> TierIdle {
        TierIdle {
            bucket: Bucket::Minio,
            partitions: 10_000,
            max_age_seconds: 120,
            batch_interval_seconds: 5.0,
            rounds: 2,
        }
    }
}

impl Default for TierRestore {
    fn default() -> TierRestore {
        TierRestore { partitions: 10_000, objects_per_partition: 1 }
    }
}

impl TierIdle {
    pub(super) fn shrink(&mut self) {
        self.partitions = self.partitions.min(20);
        self.max_age_seconds = self.max_age_seconds.min(5);
        self.batch_interval_seconds = self.batch_interval_seconds.min(0.5);
        self.rounds = self.rounds.min(2);
    }
}

impl TierUploads {
    pub(super) fn shrink(&mut self) {
        self.history.shrink();
        self.history_mb_per_second = self.history_mb_per_second.min(4.0);
        self.max_age_seconds = self.max_age_seconds.min(1);
        self.watched_seconds = self.watched_seconds.min(3.0);
        self.away_seconds = self.away_seconds.min(2.0);
    }
}

impl History {
    pub(super) fn shrink(&mut self) {
        self.partitions = self.partitions.min(4);
        self.bytes = self.bytes.min(4 << 20);
        self.object_bytes = self.object_bytes.min(2 << 20);
    }
}
