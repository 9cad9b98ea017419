//! `Partitions`, `Positions`, `Tenures`: sets of partitions, where each is read next, since when it is owned; with their bytes.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_types::{Offset, PartitionIndex, TopicId, TopicPartition};

use crate::layout::{Malformed, Reader, Writer};

pub type Partitions = BTreeSet<TopicPartition>;

/// The next offset of each partition.
pub type Positions = BTreeMap<TopicPartition, Offset>;

/// Since which change of a session's partitions it owns each of them without a break.
pub type Tenures = BTreeMap<TopicPartition, u32>;

pub(crate) fn write_tenures(writer: &mut Writer, tenures: &Tenures) {
    write(writer, tenures.keys().copied(), |writer, place| writer.number(u64::from(tenures[&place])));
}

pub(crate) fn read_tenures(reader: &mut Reader<'_>) -> Result<Tenures, Malformed> {
    let mut tenures = Tenures::new();
    read(reader, |reader, place| {
        let since = reader.number_upto(u64::from(u32::MAX))?;
        tenures.insert(place, since as u32);
        Ok(())
    })?;
    Ok(tenures)
}

pub(crate) fn write_positions(writer: &mut Writer, positions: &Positions) {
    write(writer, positions.keys().copied(), |writer, place| {
        writer.number(positions[&place].0.max(0).cast_unsigned());
    });
}

pub(crate) fn read_positions(reader: &mut Reader<'_>) -> Result<Positions, Malformed> {
    let mut positions = Positions::new();
    read(reader, |reader, place| {
        let offset = reader.number_upto(i64::MAX.cast_unsigned())?;
        positions.insert(place, Offset(offset.cast_signed()));
        Ok(())
    })?;
    Ok(positions)
}

/// By topic, each partition as its distance to the one before, with what belongs to it.
fn write(
    writer: &mut Writer,
    places: impl Iterator<Item = TopicPartition>,
    mut beside: impl FnMut(&mut Writer, TopicPartition),
) {
    let mut topics: BTreeMap<TopicId, Vec<PartitionIndex>> = BTreeMap::new();
    for place in places {
        topics.entry(place.topic).or_default().push(place.partition);
    }
    writer.length(topics.len());
    for (topic, partitions) in topics {
        writer.uuid(topic.0);
        writer.length(partitions.len());
        let mut next = 0;
        for partition in partitions {
            let index = u64::try_from(partition.0).unwrap_or_default();
            writer.number(index - next);
            next = index + 1;
            beside(writer, TopicPartition { topic, partition });
        }
    }
}

fn read<'a>(
    reader: &mut Reader<'a>,
    mut beside: impl FnMut(&mut Reader<'a>, TopicPartition) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut before = None;
    for _ in 0..reader.length()? {
        let topic = TopicId(reader.uuid()?);
        let partitions = reader.length()?;
        if before.is_some_and(|before| before >= topic) || partitions == 0 {
            return Err(Malformed);
        }
        before = Some(topic);
        let mut next = 0_u64;
        for _ in 0..partitions {
            let index = next.checked_add(reader.number()?).ok_or(Malformed)?;
            let partition = PartitionIndex(i32::try_from(index).map_err(|_too_large| Malformed)?);
            next = index + 1;
            beside(reader, TopicPartition { topic, partition })?;
        }
    }
    Ok(())
}
