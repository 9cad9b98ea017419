//! Which partition a record goes to: Kafka's hash of its key, or, without one, the same partition for a batch's worth.

use aquifer_types::PartitionIndex;

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;
const ROTATION: u32 = 24;

/// Where Kafka's clients put records of this key, as long as the topic has so many partitions.
#[must_use]
pub fn partition_of_key(key: &[u8], partitions: usize) -> PartitionIndex {
    let positive = u64::from(murmur2(key) & 0x7fff_ffff);
    let partition = positive % u64::try_from(partitions.max(1)).unwrap_or(u64::MAX);
    PartitionIndex(i32::try_from(partition).unwrap_or(0))
}

/// MurmurHash2 as Kafka's Java client has it.
fn murmur2(data: &[u8]) -> u32 {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, tail) = data.as_chunks::<4>();
    let mut hash = SEED ^ length;
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> ROTATION;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    for (index, byte) in tail.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// The partition that keyless records go to for the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sticky {
    partition: usize,
    /// Bytes it may still take; a new one is drawn when they are used up.
    left: usize,
}

impl Sticky {
    /// The partition for a record of `bytes`; `draw` is asked when it is another's turn.
    pub(crate) fn next(
        &mut self,
        bytes: usize,
        partitions: usize,
        turn_bytes: usize,
        draw: impl FnOnce() -> u64,
    ) -> PartitionIndex {
        if self.left == 0 || self.partition >= partitions {
            let drawn = draw() % u64::try_from(partitions.max(1)).unwrap_or(u64::MAX);
            self.partition = usize::try_from(drawn).unwrap_or(0);
            self.left = turn_bytes;
        }
        self.left = self.left.saturating_sub(bytes);
        PartitionIndex(i32::try_from(self.partition).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kafkas_own_client() {
        // From the Java client's own test of `Utils.murmur2`.
        let cases: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key).cast_signed(), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn a_keyless_turn_ends_with_its_bytes() {
        let mut sticky = Sticky::default();
        let mut draws = [3u64, 4].into_iter();
        let mut next = |sticky: &mut Sticky| sticky.next(60, 5, 100, || draws.next().expect("two turns")).0;

        let partitions = [next(&mut sticky), next(&mut sticky), next(&mut sticky)];

        assert_eq!(partitions, [3, 3, 4]);
    }
}
