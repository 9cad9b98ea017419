//! Which partition of `__consumer_offsets` a group lives in.

/// Kafka's name for the topic that holds groups and their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The partition, of `partitions`, that holds a group: the magnitude of Java's `String.hashCode`, as in Kafka.
#[must_use]
pub fn partition_of(group: &str, partitions: i32) -> i32 {
    let hash =
        group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Kafka takes the one number without a magnitude for 0.
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_live_where_kafka_puts_them() {
        // By Kafka 4.3.0's Utils.abs(group.hashCode()) % 50.
        for (group, partition) in [
            ("", 0),
            ("a", 47),
            ("console-consumer-12345", 6),
            ("größe", 7),
            ("\u{1F600}", 49),
            ("polygenelubricants", 0),
            ("my-group", 12),
        ] {
            assert_eq!(partition_of(group, 50), partition, "{group}");
        }
    }
}
