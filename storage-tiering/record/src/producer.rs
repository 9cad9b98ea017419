//! `ProducerState`: what a partition remembers of one idempotent producer.

use aquifer_types::{Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::header::BatchHeader;

/// How many batches may be in flight, so that a repeat of any of them is known.
const REMEMBERED: usize = 5;

/// One producer as a partition knows it. Plain data, kept in snapshots and in the partition's core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
    pub batches: RecentBatches,
    /// The epoch of the coordinator whose marker was seen last; -1 without transactions.
    pub coordinator_epoch: i32,
    /// Where the open transaction starts.
    pub first_open_offset: Option<Offset>,
    /// When a batch was seen last, by our clock: a client's timestamps neither keep nor expire its state.
    pub last_timestamp: TimestampMs,
}

/// One batch that was taken from a producer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerBatch {
    pub first_sequence: i32,
    pub last_sequence: i32,
    pub base: Offset,
    pub end: Offset,
    /// The batch's largest timestamp, which a duplicate's answer repeats.
    pub timestamp: TimestampMs,
}

/// The last five batches of the current epoch, oldest first.
#[derive(Clone, Copy, Default)]
pub struct RecentBatches {
    batches: [ProducerBatch; REMEMBERED],
    held: u8,
}

/// The sequence number `count` after `sequence`; after 2^31 - 1 comes 0.
#[must_use]
pub fn sequence_after(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & i32::MAX
}

impl ProducerState {
    /// A producer of which nothing was taken yet.
    #[must_use]
    pub fn new(id: ProducerId, epoch: ProducerEpoch) -> ProducerState {
        ProducerState {
            id,
            epoch,
            batches: RecentBatches::default(),
            coordinator_epoch: -1,
            first_open_offset: None,
            last_timestamp: TimestampMs::NONE,
        }
    }

    /// Takes note of a batch that is in the log: one just accepted, or one met in recovery. `seen` is our clock.
    pub fn observe(&mut self, header: &BatchHeader, seen: TimestampMs) {
        if header.producer_epoch != self.epoch {
            self.epoch = header.producer_epoch;
            self.batches = RecentBatches::default();
        }
        self.last_timestamp = self.last_timestamp.max(seen);
        if header.attributes.is_control() {
            self.first_open_offset = None;
            return;
        }
        self.batches.push(ProducerBatch {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base: header.base_offset,
            end: header.end(),
            timestamp: header.max_timestamp,
        });
        if header.attributes.is_transactional() && self.first_open_offset.is_none() {
            self.first_open_offset = Some(header.base_offset);
        }
    }

    /// The sequence number the next batch of this epoch must start with; `None` before the first.
    #[must_use]
    pub fn next_sequence(&self) -> Option<i32> {
        self.batches.last().map(|batch| sequence_after(batch.last_sequence, 1))
    }

    /// The remembered batch that `header` repeats.
    #[must_use]
    pub fn duplicate_of(&self, header: &BatchHeader) -> Option<ProducerBatch> {
        let range = (header.base_sequence, header.last_sequence());
        if header.producer_epoch != self.epoch {
            return None;
        }
        self.batches.iter().rev().find(|batch| (batch.first_sequence, batch.last_sequence) == range).copied()
    }
}

impl RecentBatches {
    /// Adds the newest batch; the sixth pushes out the oldest.
    pub fn push(&mut self, batch: ProducerBatch) {
        if usize::from(self.held) == REMEMBERED {
            self.batches.rotate_left(1);
            self.batches[REMEMBERED - 1] = batch;
            return;
        }
        self.batches[usize::from(self.held)] = batch;
        self.held += 1;
    }

    pub fn iter(&self) -> std::slice::Iter<'_, ProducerBatch> {
        self.batches[..usize::from(self.held)].iter()
    }

    #[must_use]
    pub fn last(&self) -> Option<ProducerBatch> {
        self.iter().next_back().copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.held)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }
}

impl PartialEq for RecentBatches {
    fn eq(&self, other: &RecentBatches) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for RecentBatches {}

impl std::fmt::Debug for RecentBatches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl FromIterator<ProducerBatch> for RecentBatches {
    fn from_iter<T: IntoIterator<Item = ProducerBatch>>(batches: T) -> RecentBatches {
        let mut recent = RecentBatches::default();
        batches.into_iter().for_each(|batch| recent.push(batch));
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, Encoding, NewRecord};

    fn header(base: i64, epoch: i16, sequence: i32, count: usize) -> BatchHeader {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.base_offset(Offset(base)).producer(ProducerId(9), ProducerEpoch(epoch), sequence);
        for _ in 0..count {
            builder.push(&NewRecord::default()).expect("fits");
        }
        BatchHeader::parse(&builder.build().expect("builds")).expect("parses")
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 1, 3), 1);
        assert_eq!(sequence_after(4, 2), 6);
    }

    #[test]
    fn only_the_last_five_batches_are_known_again() {
        let mut state = ProducerState::new(ProducerId(9), ProducerEpoch(0));
        for batch in 0..6 {
            state
                .observe(&header(batch * 2, 0, i32::try_from(batch).expect("small") * 2, 2), TimestampMs(50));
        }

        assert_eq!(state.next_sequence(), Some(12));
        assert_eq!(state.duplicate_of(&header(0, 0, 0, 2)), None);
        let known = state.duplicate_of(&header(0, 0, 2, 2)).expect("still known");
        assert_eq!((known.base, known.end), (Offset(2), Offset(4)));
        assert_eq!(state.duplicate_of(&header(0, 0, 2, 3)), None);
    }

    #[test]
    fn a_new_epoch_forgets_the_old_ones_batches() {
        let mut state = ProducerState::new(ProducerId(9), ProducerEpoch(0));
        state.observe(&header(0, 0, 0, 2), TimestampMs(50));

        state.observe(&header(2, 1, 0, 1), TimestampMs(60));

        assert_eq!(state.batches.len(), 1);
        assert_eq!((state.epoch, state.next_sequence()), (ProducerEpoch(1), Some(1)));
        assert_eq!(state.last_timestamp, TimestampMs(60));
    }
}
