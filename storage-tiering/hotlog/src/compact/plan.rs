//! Which segments are worth cleaning, and how they are put together again.

use std::collections::{BTreeMap, VecDeque};

use aquifer_types::{Offset, ProducerId, TimestampMs};

use crate::format::SegmentSummary;
use crate::log::{Log, Segment};

/// What a topic asks of compaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionPolicy {
    /// The share of dirty bytes beyond which a log is cleaned.
    pub min_dirty_ratio: f64,
    /// Records younger than this are left alone.
    pub min_lag_ms: i64,
    /// A dirty record older than this has the log cleaned, whatever the ratio.
    pub max_lag_ms: i64,
    /// How long a tombstone stays after the first cleaning that met it.
    pub tombstone_retention_ms: i64,
    /// How large a segment may grow when small ones are put together.
    pub segment_bytes: u64,
}

/// How much of a log could be cleaned now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirtiness {
    pub clean_bytes: u64,
    pub dirty_bytes: u64,
    /// Records below were held against each other already.
    pub dirty_from: Offset,
    /// Where the part that may be cleaned ends.
    pub upto: Offset,
    /// A dirty record is older than the topic allows.
    pub is_overdue: bool,
}

/// A log's cleaning, decided under its lock.
#[derive(Clone, Debug)]
pub struct CleaningPlan {
    /// Every sealed segment that may be cleaned, the clean ones too: what they hold may be superseded since.
    pub sources: Vec<Segment>,
    pub dirty_from: Offset,
    pub policy: CompactionPolicy,
    /// Whether no tombstone goes: what it stands against may be where no cleaning gets to.
    pub keeps_tombstones: bool,
    /// The time that delete horizons are held against and counted from.
    pub now: TimestampMs,
    /// Where the last batch of every known producer ends.
    pub last_batches: BTreeMap<ProducerId, Offset>,
}

impl Dirtiness {
    /// The share of dirty bytes.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        match self.clean_bytes + self.dirty_bytes {
            0 => 0.0,
            all => self.dirty_bytes as f64 / all as f64,
        }
    }

    #[must_use]
    pub fn is_due(&self, policy: &CompactionPolicy) -> bool {
        self.dirty_bytes > 0 && (self.is_overdue || self.ratio() > policy.min_dirty_ratio)
    }

    /// Looks at the segments of a log that are sealed and committed, oldest first.
    #[must_use]
    pub fn of<'a>(
        segments: impl Iterator<Item = &'a SegmentSummary>,
        now: TimestampMs,
        policy: &CompactionPolicy,
    ) -> Dirtiness {
        let mut found = Dirtiness {
            clean_bytes: 0,
            dirty_bytes: 0,
            dirty_from: Offset(i64::MIN),
            upto: Offset(i64::MIN),
            is_overdue: false,
        };
        for summary in segments {
            if found.dirty_bytes == 0 && summary.clean_upto == summary.end {
                found.clean_bytes += summary.bytes;
                found.dirty_from = summary.end;
            } else {
                if now.0.saturating_sub(newest(summary).0) < policy.min_lag_ms {
                    break;
                }
                if found.dirty_bytes == 0 {
                    found.dirty_from = summary.clean_upto.max(summary.base);
                    found.is_overdue = now.0.saturating_sub(summary.first_append.0) > policy.max_lag_ms;
                }
                found.dirty_bytes += summary.bytes;
            }
            found.upto = summary.end;
        }
        found
    }
}

/// When the segment's last record was written: its own timestamp, but not one that lies after the moment we took it.
fn newest(summary: &SegmentSummary) -> TimestampMs {
    if summary.max_timestamp == TimestampMs::NONE {
        summary.last_append
    } else {
        summary.max_timestamp.min(summary.last_append)
    }
}

impl Log {
    /// How much below `committed` could be cleaned now.
    #[must_use]
    pub fn dirtiness(&self, committed: Offset, now: TimestampMs, policy: &CompactionPolicy) -> Dirtiness {
        Dirtiness::of(self.sealed_below(committed).map(|segment| &segment.summary), now, policy)
    }

    /// What to clean below `committed`, if that is due.
    #[must_use]
    pub fn plan_cleaning(
        &self,
        committed: Offset,
        now: TimestampMs,
        policy: &CompactionPolicy,
        last_batches: BTreeMap<ProducerId, Offset>,
    ) -> Option<CleaningPlan> {
        let dirtiness = self.dirtiness(committed, now, policy);
        dirtiness.is_due(policy).then(|| CleaningPlan {
            sources: self.sealed_below(dirtiness.upto).cloned().collect(),
            dirty_from: dirtiness.dirty_from,
            policy: *policy,
            keeps_tombstones: false,
            now,
            last_batches,
        })
    }
}

/// Which neighbours become one segment: as many as stay within the topic's segment size and within what an index can
/// name, but at least one.
pub(super) fn groups(sources: Vec<Segment>, bytes_max: u64) -> VecDeque<Vec<Segment>> {
    let mut groups: VecDeque<Vec<Segment>> = VecDeque::new();
    let mut bytes = 0;
    for source in sources {
        let size = source.summary.bytes;
        match groups.back_mut() {
            Some(group) if bytes + size <= bytes_max && group[0].spans(source.summary.end) => {
                group.push(source);
                bytes += size;
            }
            _ => {
                groups.push_back(vec![source]);
                bytes = size;
            }
        }
    }
    groups
}
