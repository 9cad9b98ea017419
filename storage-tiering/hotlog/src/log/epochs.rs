//! `EpochCache`: where each leader's epoch begins in the log. Rebuilt from the batches themselves.

use aquifer_types::{BatchEpoch, Offset};

/// The first offset of every epoch that has batches in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    starts: Vec<(BatchEpoch, Offset)>,
}

impl EpochCache {
    /// Takes note of a batch; epochs and offsets only grow.
    pub fn observe(&mut self, epoch: BatchEpoch, base: Offset) {
        match self.starts.last() {
            Some((last, _)) if *last >= epoch => {}
            _ => self.starts.push((epoch, base)),
        }
    }

    #[must_use]
    pub fn starts(&self) -> &[(BatchEpoch, Offset)] {
        &self.starts
    }

    #[must_use]
    pub fn latest(&self) -> Option<BatchEpoch> {
        self.starts.last().map(|(epoch, _)| *epoch)
    }

    /// The epoch of the batch that holds `offset`.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<BatchEpoch> {
        let after = self.starts.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map(|index| self.starts[index].0)
    }

    /// Where `epoch` ends, and which epoch that answer is about, as OffsetForLeaderEpoch asks: an epoch later than the
    /// log's is unknown; the current one ends at `log_end`; one without batches ends where the next one starts.
    #[must_use]
    pub fn end_of(
        &self,
        epoch: BatchEpoch,
        current: BatchEpoch,
        log_end: Offset,
    ) -> Option<(BatchEpoch, Offset)> {
        if epoch == current {
            return Some((epoch, log_end));
        }
        if epoch > current {
            return None;
        }
        let next = self.starts.partition_point(|(started, _)| *started <= epoch);
        let end = self.starts.get(next).map_or(log_end, |(_, start)| *start);
        let floor = next.checked_sub(1).map_or(epoch, |index| self.starts[index].0);
        Some((floor, end))
    }

    /// Forgets what lies below `log_start`; the epoch that spans it then starts there.
    pub fn start_at(&mut self, log_start: Offset) {
        let spanning = self.starts.partition_point(|(_, start)| *start <= log_start);
        if spanning > 0 {
            self.starts.drain(..spanning - 1);
            self.starts[0].1 = self.starts[0].1.max(log_start);
        }
    }

    /// Forgets what lies at or beyond `end`.
    pub fn end_at(&mut self, end: Offset) {
        self.starts.retain(|(_, start)| *start < end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> EpochCache {
        let mut cache = EpochCache::default();
        for (epoch, base) in [(1, 0), (1, 5), (4, 10), (6, 30)] {
            cache.observe(BatchEpoch(epoch), Offset(base));
        }
        cache
    }

    #[test]
    fn an_epochs_end_is_the_next_ones_start() {
        let end_of = |epoch| {
            cache().end_of(BatchEpoch(epoch), BatchEpoch(8), Offset(50)).map(|(epoch, end)| (epoch.0, end.0))
        };

        assert_eq!(end_of(0), Some((0, 0)));
        assert_eq!(end_of(1), Some((1, 10)));
        assert_eq!(end_of(3), Some((1, 10)));
        assert_eq!(end_of(4), Some((4, 30)));
        assert_eq!(end_of(6), Some((6, 50)));
        assert_eq!(end_of(8), Some((8, 50)));
        assert_eq!(end_of(9), None);
    }

    #[test]
    fn the_start_moves_into_the_epoch_that_spans_it() {
        let mut cache = cache();

        cache.start_at(Offset(12));

        assert_eq!(cache.starts(), [(BatchEpoch(4), Offset(12)), (BatchEpoch(6), Offset(30))]);
        assert_eq!(cache.epoch_at(Offset(29)), Some(BatchEpoch(4)));
    }
}
