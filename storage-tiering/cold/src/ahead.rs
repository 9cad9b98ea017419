//! `Ahead`: who reads on where it stopped is fetched for, further and further ahead.

use std::collections::VecDeque;

use aquifer_types::{Offset, TopicPartition};

/// Chunks fetched ahead of a reader that has just begun, and of one that reads on and on.
const WINDOW_MIN: usize = 2;
const WINDOW_MAX: usize = 16;
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
}

impl Ahead {
    /// How many chunks to fetch for a reader at this offset, its own included.
    pub(crate) fn window(&self, partition: TopicPartition, from: Offset) -> usize {
        self.find(partition, from).map_or(WINDOW_MIN, |at| self.0[at].window)
    }

    /// A reader that was at `from` will go on at `next`.
    pub(crate) fn moved(&mut self, partition: TopicPartition, from: Offset, next: Offset) {
        let window = match self.find(partition, from).and_then(|at| self.0.remove(at)) {
            Some(reader) => (reader.window * 2).min(WINDOW_MAX),
            None => WINDOW_MIN,
        };
        if self.0.len() == READERS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Reader { partition, next, window });
    }

    fn find(&self, partition: TopicPartition, from: Offset) -> Option<usize> {
        self.0.iter().rposition(|reader| reader.partition == partition && reader.next == from)
    }
}

#[cfg(test)]
mod tests {
    use aquifer_types::{PartitionIndex, TopicId, Uuid};

    use super::*;

    #[test]
    fn who_reads_on_is_fetched_for_further_ahead_and_who_jumps_is_not() {
        let partition =
            TopicPartition { topic: TopicId(Uuid::from_bytes([1; 16])), partition: PartitionIndex(0) };
        let mut ahead = Ahead::default();
        let mut windows = Vec::new();
        for offset in 0..6 {
            windows.push(ahead.window(partition, Offset(offset)));
            ahead.moved(partition, Offset(offset), Offset(offset + 1));
        }

        assert_eq!(windows, [2, 2, 4, 8, 16, 16]);
        assert_eq!(ahead.window(partition, Offset(99)), 2);
    }
}
