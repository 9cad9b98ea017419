//! The offsets of groups, as far as there is still something to read at them.

use aquifer_group::{Decoded, GroupRecord, OffsetValue};
use aquifer_types::{Offset, TopicName};

/// Offsets of one partition of groups, and what had to be done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) records: Vec<(Vec<u8>, Vec<u8>)>,
    /// Lay beyond the end of what is left of their logs: they are its end now.
    pub(crate) lowered: usize,
    /// Of topics that do not come back, or not understood.
    pub(crate) dropped: usize,
}

/// What is left of committed offsets, of logs that end as `end` says; it knows no topic that does not come back.
pub(crate) fn kept(
    records: Vec<(Vec<u8>, Vec<u8>)>,
    end: impl Fn(&TopicName, i32) -> Option<Offset>,
) -> Offsets {
    let mut kept = Offsets::default();
    for (key, value) in records {
        let Ok(Decoded::Record(GroupRecord::Offset { group, topic, partition, value: Some(committed) })) =
            GroupRecord::decode(&key, Some(&value))
        else {
            kept.dropped += 1;
            continue;
        };
        match end(&topic, partition) {
            None => kept.dropped += 1,
            Some(end) if committed.offset <= end => kept.records.push((key, value)),
            Some(end) => {
                kept.lowered += 1;
                // The epoch was that of a record that is gone.
                let value = OffsetValue { offset: end, leader_epoch: -1, ..committed };
                let record = GroupRecord::Offset { group, topic, partition, value: Some(value) };
                kept.records.extend(record.value().map(|value| (key, value)));
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use aquifer_group::GroupId;
    use aquifer_types::{TimestampMs, TopicId};

    use super::*;

    fn record(topic: &str, offset: i64, leader_epoch: i32) -> (Vec<u8>, Vec<u8>) {
        let record = GroupRecord::Offset {
            group: GroupId::new("g"),
            topic: TopicName::new(topic).expect("a name"),
            partition: 1,
            value: Some(OffsetValue {
                offset: Offset(offset),
                leader_epoch,
                metadata: "m".into(),
                committed_at: TimestampMs(5),
                expires_at: None,
                topic_id: TopicId::default(),
            }),
        };
        (record.key(), record.value().expect("an offset"))
    }

    #[test]
    fn offsets_beyond_what_is_left_are_lowered_and_those_of_lost_topics_dropped() {
        let committed = vec![record("t", 10, 3), record("t", 11, 3), record("gone", 1, 3), (vec![9], vec![])];

        let kept = kept(committed, |topic, _| (topic.as_str() == "t").then_some(Offset(10)));

        assert_eq!(kept.records, [record("t", 10, 3), record("t", 10, -1)]);
        assert_eq!((kept.lowered, kept.dropped), (1, 2));
    }
}
