//! Whoever reads data objects reads them where they lie in a bundle, byte for byte.

use std::io::IoSlice;
use std::path::Path;

use aquifer_disk::{Disk, OpenMode, SimDisk};
use aquifer_manifest::{ObjectKey, Place};
use aquifer_objects::Store;
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_runtime::Runtime;
use aquifer_types::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId, TopicPartition, Uuid};

use super::*;
use crate::pack::{Source, Surroundings, pack};
use crate::read::{FoundObject, SurveyError, check_chunk, copy_range, read_bundle, read_footer};
use crate::repack::{Renamed, repack};
use crate::survey::survey;

const CLUSTER: ClusterId = ClusterId(Uuid::from_bytes([1; 16]));

fn place(topic: u8, partition: i32) -> Place {
    let topic = TopicId(Uuid::from_bytes([topic; 16]));
    Place { cluster: CLUSTER, partition: TopicPartition { topic, partition: PartitionIndex(partition) } }
}

fn log(base: i64, bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Encoding::NONE);
    builder.base_offset(Offset(base));
    let value = vec![7; bytes];
    let record =
        NewRecord { timestamp: TimestampMs(1_000 + base), value: Some(&value), ..NewRecord::default() };
    builder.push(&record).unwrap();
    builder.build().unwrap()
}

fn packed(key: BundleKey, number: usize, log: &[u8]) -> Packed {
    let disk = SimDisk::default();
    disk.create_dir(Path::new("/d")).unwrap();
    let file = disk.open(Path::new("/d/segment"), OpenMode::Create).unwrap();
    file.write_at(0, &[IoSlice::new(log)]).unwrap();
    let source = Source { file, at: 0, bytes: u32::try_from(log.len()).unwrap() };
    let surroundings = Surroundings {
        place: place(2, i32::try_from(number).unwrap()),
        from: Offset(0),
        is_rewrite: number == 1,
        incarnation: 1,
        leader_epoch: LeaderEpoch(4),
        generation: key.generation,
        nonce: key.nonce_of(number),
        previous: None,
        epochs: Vec::new(),
        producers: Vec::new(),
    };
    pack(&[source], surroundings).unwrap()
}

#[tokio::test]
async fn what_reads_objects_reads_them_in_a_bundle() {
    let store = Store::open("memory:///", &Runtime::real()).await.unwrap();
    let key = BundleKey::drawn(7, u64::MAX);
    // All begin at the same offset, which is what tells objects of one partition apart.
    let logs: Vec<Vec<u8>> = [10, 70_000, 300].map(|bytes| log(0, bytes)).to_vec();
    let mut ranges: Vec<Packed> =
        logs.iter().enumerate().map(|(number, log)| packed(key, number, log)).collect();
    let bundled = bundle(CLUSTER, key, &mut ranges);
    store.create(&bundled.name, &bundled.parts).await.unwrap();

    let mut found = survey(&store, CLUSTER).await.unwrap();
    let whole = found.bundles[&key];
    assert_eq!((whole.bytes, found.objects.len(), found.strange.len()), (bundled.bytes, 0, 0));
    let index = read_bundle(&store, CLUSTER, key, whole).await.unwrap();
    found.place_all(&index.entries);
    assert_eq!(index.entries.iter().map(|entry| entry.is_rewrite).collect::<Vec<_>>(), [false, true, false]);
    for (packed, log) in ranges.iter().zip(&logs) {
        let (place, range) = (packed.place, packed.range);
        let key = ObjectKey::of(&range);
        let object = found.objects[&place.partition][&key];
        let (read, footer) = read_footer(&store, &place, key, object).await.unwrap();
        assert_eq!((read, footer.place), (range, place));
        check_chunk(&store, &place, (&range, &footer), 0).await.unwrap();
        let begins = range.begins();
        let stored = store.read(&place.key(&range), begins..begins + u64::from(range.bytes)).await.unwrap();
        assert_eq!(stored, log);

        let other = Place { partition: self::place(3, 0).partition, ..place };
        copy_range(&store, &place, &other, &range).await.unwrap();
        let alone = FoundObject { position: 0, ..object };
        let (copied, _) = read_footer(&store, &other, key, alone).await.unwrap();
        assert_eq!(copied, range.by_itself());
    }
    let copies = survey(&store, CLUSTER).await.unwrap().objects;
    assert_eq!(copies[&place(3, 0).partition].len(), ranges.len(), "each has a name of its own");
}

#[tokio::test]
async fn a_range_that_lies_elsewhere_or_is_damaged_is_noticed() {
    let store = Store::open("memory:///", &Runtime::real()).await.unwrap();
    let key = BundleKey::drawn(7, 1 << 40);
    let mut ranges: Vec<Packed> = (0..2).map(|number| packed(key, number, &log(0, 100 + number))).collect();
    let bundled = bundle(CLUSTER, key, &mut ranges);
    let mut bytes = bundled.parts.concat();
    let (first, second) = (ranges[0].range, ranges[1].range);
    let at = usize::try_from(second.begins()).unwrap() + 70;
    bytes[at] ^= 1;
    store.create(&bundled.name, &[Bytes::from(bytes)]).await.unwrap();

    let (place, object) = (ranges[1].place, FoundObject::named(&second));
    let (_, footer) = read_footer(&store, &place, ObjectKey::of(&second), object).await.unwrap();
    let damaged = check_chunk(&store, &place, (&second, &footer), 0).await;
    assert!(matches!(damaged, Err(SurveyError::Chunk { .. })), "{damaged:?}");
    let elsewhere = FoundObject::named(&first);
    let foreign = read_footer(&store, &place, ObjectKey::of(&second), elsewhere).await;
    assert!(matches!(foreign, Err(SurveyError::Footer { .. })), "{foreign:?}");
}

#[tokio::test]
async fn a_range_leaves_its_bundle_with_the_same_bytes_unless_they_are_damaged() {
    let store = Store::open("memory:///", &Runtime::real()).await.unwrap();
    let key = BundleKey::drawn(7, 1 << 40);
    let logs = [10, 70_000].map(|bytes| log(0, bytes));
    let mut ranges: Vec<Packed> =
        logs.iter().enumerate().map(|(number, log)| packed(key, number, log)).collect();
    let bundled = bundle(CLUSTER, key, &mut ranges);
    store.create(&bundled.name, &bundled.parts).await.unwrap();
    let Packed { range, place, last, .. } = &ranges[1];
    let renamed = Renamed { incarnation: 2, leader_epoch: LeaderEpoch(6), generation: 9, nonce: 77 };

    let moved = repack(&store, place, range, renamed).await.unwrap();
    assert_eq!((moved.range.base, moved.range.end, moved.last), (range.base, range.end, *last));
    assert_eq!((moved.range.generation, moved.range.nonce, moved.range.position), (9, 77, 0));
    assert!(moved.is_rewrite && moved.previous.is_none());
    store.create(&moved.key(), &moved.parts).await.unwrap();
    let found = store.read(&moved.key(), 0..u64::from(moved.range.bytes)).await.unwrap();
    assert_eq!(found, logs[1]);
    let object = FoundObject::named(&moved.range);
    let (again, footer) = read_footer(&store, place, ObjectKey::of(&moved.range), object).await.unwrap();
    assert_eq!((again, footer.incarnation), (moved.range, 2));
    check_chunk(&store, place, (&again, &footer), 0).await.unwrap();

    store.delete(&bundled.name).await.unwrap();
    let mut damaged = bundled.parts.concat();
    damaged[usize::try_from(range.begins()).unwrap() + 5_000] ^= 1;
    store.create(&bundled.name, &[damaged.into()]).await.unwrap();
    let refused = repack(&store, place, range, renamed).await;
    assert!(matches!(refused, Err(SurveyError::Chunk { .. })), "{refused:?}");
}
