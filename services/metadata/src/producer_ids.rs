//! Producer ids: blocks of numbers under a prefix that tells this cluster's from another's.

use aquifer_types::ProducerId;

use crate::answer::AllocateRefusal;

/// Ids under one prefix.
const COUNTER_BITS: u32 = 32;
const PREFIX_END: u32 = 1 << 20;
/// A broker hands out one id per new producer; it asks for this many at most at once.
pub const PRODUCER_BLOCK_MAX: u32 = 100_000;

/// The upper 20 bits of a cluster's producer ids. Zero stands for foreign clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProducerPrefix(u32);

impl ProducerPrefix {
    /// A prefix from 32 random bits, or `None` where the draw must be repeated.
    #[must_use]
    pub fn from_random(random: u32) -> Option<ProducerPrefix> {
        ProducerPrefix::new(random % PREFIX_END)
    }

    /// The prefix of this number, if it is one.
    #[must_use]
    pub fn new(number: u32) -> Option<ProducerPrefix> {
        (1..PREFIX_END).contains(&number).then_some(ProducerPrefix(number))
    }

    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    fn first_id(self) -> i64 {
        i64::from(self.0) << COUNTER_BITS
    }
}

/// Ids that one broker may hand out: `first` and up, below `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    pub first: ProducerId,
    pub end: ProducerId,
}

/// The prefixes of a cluster, newest last, and the next number under the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProducerIds {
    pub(crate) prefixes: Vec<ProducerPrefix>,
    pub(crate) next: u64,
}

impl ProducerIds {
    pub(crate) fn allocate(
        &mut self,
        count: u32,
        spare: ProducerPrefix,
    ) -> Result<ProducerIdBlock, AllocateRefusal> {
        if count == 0 || count > PRODUCER_BLOCK_MAX {
            return Err(AllocateRefusal::Count { count });
        }
        let Some(current) = self.prefixes.last().copied() else { return Err(AllocateRefusal::NoCluster) };
        if self.next + u64::from(count) <= 1 << COUNTER_BITS {
            return Ok(self.take(current, count));
        }
        // Ids of a prefix that was used up may still stand in logs.
        if self.prefixes.contains(&spare) {
            return Err(AllocateRefusal::PrefixUsed);
        }
        self.prefixes.push(spare);
        self.next = 0;
        Ok(self.take(spare, count))
    }

    fn take(&mut self, prefix: ProducerPrefix, count: u32) -> ProducerIdBlock {
        // `next` stays within the counter's 32 bits, so the sum fits.
        let first = prefix.first_id() + self.next as i64;
        self.next += u64::from(count);
        ProducerIdBlock { first: ProducerId(first), end: ProducerId(first + i64::from(count)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(number: u32) -> ProducerPrefix {
        ProducerPrefix::new(number).expect("a prefix")
    }

    #[test]
    fn a_used_up_prefix_is_followed_by_the_spare_one() {
        let mut ids = ProducerIds { prefixes: vec![prefix(3)], next: (1 << 32) - 5 };

        let last = ids.allocate(5, prefix(4)).expect("fits");
        let first = ids.allocate(5, prefix(4)).expect("under the spare");

        assert_eq!(last.end, ProducerId(4 << 32));
        assert_eq!(first, ProducerIdBlock { first: ProducerId(4 << 32), end: ProducerId((4 << 32) + 5) });
        assert_eq!(ids.prefixes, [prefix(3), prefix(4)]);
    }

    #[test]
    fn a_prefix_is_never_used_twice() {
        let mut ids = ProducerIds { prefixes: vec![prefix(3)], next: 1 << 32 };

        assert_eq!(ids.allocate(1, prefix(3)), Err(AllocateRefusal::PrefixUsed));
    }

    #[test]
    fn every_id_fits_a_double() {
        let mut ids = ProducerIds { prefixes: vec![prefix((1 << 20) - 1)], next: (1 << 32) - 1 };

        let block = ids.allocate(1, prefix(1)).expect("the very last");

        assert!(block.end.0 < 1 << 53);
    }
}
