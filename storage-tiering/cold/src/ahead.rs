//! `Ahead`: who reads on where it stopped is fetched for, further and further ahead.

use std::collections::VecDeque;
use std::time::Duration;

use aquifer_runtime::Monotonic;
use aquifer_types::{Offset, TopicPartition};

/// Chunks of a reader that has just begun and may want no more, and of one that reads on and on; the one it reads included.
const WINDOW_MIN: usize = 1;
const WINDOW_MAX: usize = 16;
/// Who was not seen for so long does not read any more.
const READS_FOR: Duration = Duration::from_secs(2);
/// Readers that are remembered.
const READERS_MAX: usize = 512;

/// Where readers will go on, and how far ahead of them is fetched.
#[derive(Debug, Default)]
pub(crate) struct Ahead(VecDeque<Reader>);

#[derive(Clone, Copy, Debug)]
struct Reader {
    partition: TopicPartition,
    next: Offset,
    window: usize,
    seen: Monotonic,
}

impl Ahead {
    /// How many chunks to fetch for a reader at this offset, its own included, where `chunks_max` are for all who read now.
    pub(crate) fn window(
        &self,
        partition: TopicPartition,
        from: Offset,
        now: Monotonic,
        chunks_max: usize,
    ) -> usize {
        let reading = self.0.iter().filter(|reader| now.since(reader.seen) < READS_FOR).count();
        let window = self.find(partition, from).map_or(WINDOW_MIN, |at| self.0[at].window);
        window.min(chunks_max / reading.max(1)).max(WINDOW_MIN)
    }

    /// A reader that was at `from` will go on at `next`.
    pub(crate) fn moved(&mut self, partition: TopicPartition, from: Offset, next: Offset, now: Monotonic) {
        let window = match self.find(partition, from).and_then(|at| self.0.remove(at)) {
            Some(reader) => (reader.window * 2).min(WINDOW_MAX),
            None => WINDOW_MIN,
        };
        if self.0.len() == READERS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Reader { partition, next, window, seen: now });
    }

    fn find(&self, partition: TopicPartition, from: Offset) -> Option<usize> {
        self.0.iter().rposition(|reader| reader.partition == partition && reader.next == from)
    }
}

#[cfg(test)]
mod tests {
    use aquifer_types::{PartitionIndex, TopicId, Uuid};

    use super::*;

    const START: Monotonic = Monotonic(Duration::ZERO);

    fn partition(index: i32) -> TopicPartition {
        TopicPartition { topic: TopicId(Uuid::from_bytes([1; 16])), partition: PartitionIndex(index) }
    }

    #[test]
    fn who_reads_on_is_fetched_for_further_ahead_and_who_jumps_is_not() {
        let mut ahead = Ahead::default();
        let mut windows = Vec::new();
        for offset in 0..7 {
            windows.push(ahead.window(partition(0), Offset(offset), START, 64));
            ahead.moved(partition(0), Offset(offset), Offset(offset + 1), START);
        }

        assert_eq!(windows, [1, 1, 2, 4, 8, 16, 16]);
        assert_eq!(ahead.window(partition(0), Offset(99), START, 64), 1);
    }

    #[test]
    fn all_who_read_share_what_there_is_and_who_has_stopped_has_no_share() {
        let mut ahead = Ahead::default();
        for reader in 0..8 {
            for offset in 0..6 {
                ahead.moved(partition(reader), Offset(offset), Offset(offset + 1), START);
            }
        }
        let later = START.plus(READS_FOR);
        ahead.moved(partition(0), Offset(6), Offset(7), later);

        assert_eq!(ahead.window(partition(1), Offset(6), START, 32), 4);
        assert_eq!(ahead.window(partition(1), Offset(6), START, 3), 1);
        assert_eq!(ahead.window(partition(0), Offset(7), later, 32), 16);
    }
}
