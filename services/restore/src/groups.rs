//! The offsets of groups, as far as there is still something to read at them.

use std::collections::BTreeMap;

use aquifer_group::{Decoded, GroupRecord, OffsetValue};
use aquifer_manifest::{Place, StateKind, Tier, decode_records};
use aquifer_metadata::Image;
use aquifer_objects::Store;
use aquifer_record::{batches, decode};
use aquifer_tiering::Survey;
use aquifer_types::{ClusterId, Offset, PartitionIndex, TimestampMs, TopicName, TopicPartition};

use crate::directory::Seeds;
use crate::error::RestoreError;
use crate::restore::newest;

/// Where groups keep their offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// What one batch may unpack to; ours are not packed.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// Offsets of one partition of groups, and what had to be done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) records: Vec<(Vec<u8>, Vec<u8>)>,
    /// Lay beyond the end of what is left of their logs: they are its end now.
    pub(crate) lowered: usize,
    /// Of topics that do not come back, or not understood.
    pub(crate) dropped: usize,
}

/// What committed offsets come from.
pub(crate) struct Sources<'a> {
    pub(crate) store: &'a Store,
    pub(crate) cluster: ClusterId,
    pub(crate) survey: &'a Survey,
    pub(crate) mirrors: &'a BTreeMap<TopicPartition, Tier>,
    pub(crate) at: Option<TimestampMs>,
}

/// The logs of groups go on where their tiers end, and begin there: with every offset that there is. A cluster beside the old
/// one has none of what came before. Returns what their tiers were.
pub(crate) fn begin_offsets_logs_anew(
    before: &Image,
    is_alone: bool,
    tiers: &mut BTreeMap<TopicPartition, Tier>,
) -> BTreeMap<TopicPartition, Tier> {
    let Some(topic) = before.topic(OFFSETS_TOPIC) else { return BTreeMap::new() };
    let own = |at: &TopicPartition| at.topic == topic.id();
    let mirrors = tiers.iter().filter(|(at, _)| own(at)).map(|(at, tier)| (*at, tier.clone())).collect();
    if is_alone {
        tiers.retain(|at, _| !own(at));
    }
    for (_, tier) in tiers.iter_mut().filter(|(at, _)| own(at)) {
        tier.trim(tier.end(), before.time());
    }
    mirrors
}

/// Committed offsets, as the logs that they are kept in begin with: from the newest state that tells of them, else from their
/// mirrored logs, which end earlier.
pub(crate) async fn groups(
    sources: &Sources<'_>,
    image: &Image,
    problems: &mut Vec<String>,
) -> Result<(Seeds, Offsets), RestoreError> {
    let Sources { store, cluster, survey, mirrors, at } = *sources;
    let mut all = Offsets::default();
    let mut seeds = Seeds::new();
    let Some(topic) = image.topic(OFFSETS_TOPIC) else { return Ok((seeds, all)) };
    for (index, _) in topic.partitions() {
        let kind = StateKind::Groups(index.0);
        let told = newest(store, cluster, survey, kind, at, problems).await?;
        let told = told.and_then(|state| {
            let records = decode_records(&state.body);
            if records.is_none() {
                problems.push(format!("the offsets in '{}' are not understood", state.name()));
            }
            records
        });
        let mirror = mirrors.get(&topic.at(index));
        let records = match (told, mirror) {
            (Some(records), _) => records,
            (None, Some(tier)) => {
                let place = Place { cluster, partition: topic.at(index) };
                mirrored(store, &place, tier, problems).await?
            }
            (None, None) => continue,
        };
        let Offsets { records, lowered, dropped } =
            kept(records, |topic, partition| end_of(image, topic.as_str(), partition));
        all.records.extend(records.iter().cloned());
        all.lowered += lowered;
        all.dropped += dropped;
        seeds.insert(topic.at(index), records);
    }
    Ok((seeds, all))
}

/// Where a log ends after the restore; none of what does not come back.
fn end_of(image: &Image, topic: &str, partition: i32) -> Option<Offset> {
    let topic = image.topic(topic)?;
    topic.partition(PartitionIndex(partition))?;
    Some(image.tier(topic.at(PartitionIndex(partition))).map_or(Offset::ZERO, |tier| tier.end()))
}

/// The last committed offsets in a mirrored log. What of it cannot be read is told, and missing.
async fn mirrored(
    store: &Store,
    place: &Place,
    tier: &Tier,
    problems: &mut Vec<String>,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>, RestoreError> {
    let mut latest: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for range in tier.live() {
        let name = place.key(range);
        match store.read(&name, range.begins()..range.begins() + u64::from(range.bytes)).await {
            Ok(bytes) if replay(&bytes, &mut latest).is_some() => {}
            Ok(_) => problems.push(format!("'{name}' holds batches that cannot be read")),
            Err(error) if error.is_passing() => return Err(error.into()),
            Err(error) => problems.push(error.to_string()),
        }
    }
    let is_offset = |(key, value): &(Vec<u8>, Vec<u8>)| {
        let decoded = GroupRecord::decode(key, Some(value));
        matches!(decoded, Ok(Decoded::Record(GroupRecord::Offset { .. })))
    };
    Ok(latest.into_iter().filter(is_offset).collect())
}

/// Takes in what whole batches say, as far as it can be read.
fn replay(bytes: &[u8], latest: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Option<()> {
    let mut unpacked = Vec::new();
    for batch in batches(bytes) {
        if !batch.checksum_holds() {
            return None;
        }
        if batch.header.attributes.is_control() {
            continue;
        }
        for record in decode(&batch.header, batch.body(), UNPACKED_BYTES_MAX, &mut unpacked).ok()? {
            let record = record.ok()?;
            match (record.key, record.value) {
                (Some(key), Some(value)) => drop(latest.insert(key.to_vec(), value.to_vec())),
                (Some(key), None) => drop(latest.remove(key)),
                (None, _) => {}
            }
        }
    }
    Some(())
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
    use aquifer_record::{BatchBuilder, Encoding, NewRecord};
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
    fn a_mirrored_log_comes_to_the_last_value_of_every_key() {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        let records: [(&[u8], Option<&[u8]>); 4] =
            [(b"a", Some(b"1")), (b"b", Some(b"2")), (b"a", Some(b"3")), (b"b", None)];
        for (key, value) in records {
            builder.push(&NewRecord { key: Some(key), value, ..NewRecord::default() }).expect("small");
        }
        let log = builder.build().expect("small");
        let mut latest = BTreeMap::from([(b"c".to_vec(), b"0".to_vec())]);

        assert_eq!(replay(&log, &mut latest), Some(()));
        assert_eq!(
            latest.into_iter().collect::<Vec<_>>(),
            [(b"a".to_vec(), b"3".to_vec()), (b"c".to_vec(), b"0".to_vec())]
        );
        let mut damaged = log;
        *damaged.last_mut().expect("not empty") ^= 1;
        assert_eq!(replay(&damaged, &mut BTreeMap::new()), None);
    }

    #[test]
    fn offsets_beyond_what_is_left_are_lowered_and_those_of_lost_topics_dropped() {
        let committed = vec![record("t", 10, 3), record("t", 11, 3), record("gone", 1, 3), (vec![9], vec![])];

        let kept = kept(committed, |topic, _| (topic.as_str() == "t").then_some(Offset(10)));

        assert_eq!(kept.records, [record("t", 10, 3), record("t", 10, -1)]);
        assert_eq!((kept.lowered, kept.dropped), (1, 2));
    }
}
