//! Objects explain the log bytes they begin with.

use std::io::IoSlice;
use std::path::Path;

use aquifer_disk::{Disk, OpenMode, RealDisk, SimDisk};
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_types::{ClusterId, PartitionIndex, TopicId, TopicPartition, Uuid};

use super::*;

fn log(batches: i64) -> Vec<u8> {
    let mut log = Vec::new();
    for number in 0..batches {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.base_offset(Offset(100 + number * 2)).epoch(BatchEpoch(1));
        for _ in 0..2 {
            let value = vec![7; 20_000];
            let record = NewRecord {
                timestamp: TimestampMs(1_000 + number),
                value: Some(&value),
                ..NewRecord::default()
            };
            builder.push(&record).unwrap();
        }
        log.extend(builder.build().unwrap());
    }
    log
}

fn surroundings() -> Surroundings {
    Surroundings {
        place: Place {
            cluster: ClusterId(Uuid::from_bytes([1; 16])),
            partition: TopicPartition {
                topic: TopicId(Uuid::from_bytes([2; 16])),
                partition: PartitionIndex(3),
            },
        },
        from: Offset(100),
        is_rewrite: false,
        incarnation: 1,
        leader_epoch: LeaderEpoch(4),
        generation: 5,
        nonce: 6,
        previous: None,
        epochs: vec![(BatchEpoch(1), Offset(0))],
        producers: Vec::new(),
    }
}

fn packed(disk: &dyn Disk, folder: &Path, log: &[u8]) -> Result<Packed, PackError> {
    let file = disk.open(&folder.join("segment"), OpenMode::Create).unwrap();
    file.write_at(0, &[IoSlice::new(b"before"), IoSlice::new(log)]).unwrap();
    let source = Source { file, at: 6, bytes: u32::try_from(log.len()).unwrap() };
    pack(&[source], surroundings())
}

#[test]
fn an_object_is_the_logs_bytes_and_a_footer_that_finds_its_way_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(150);

    let packed = packed(&RealDisk, folder.path(), &log).unwrap();

    assert_eq!(packed.parts[0], log);
    let footer = Footer::decode(&packed.parts[1]).unwrap();
    footer.check(&packed.range).unwrap();
    assert_eq!((footer.base, footer.end), (Offset(100), Offset(400)));
    assert_eq!(footer.max_timestamp, TimestampMs(1_149));
    assert_eq!(footer.chunk_crcs.len(), log.len().div_ceil(CHUNK_BYTES as usize));
    for offset in [100, 101, 250, 399] {
        let at = footer.floor_by_offset(Offset(offset)) as usize;
        let first = batches(&log[at..]).next().unwrap();
        assert!(first.header.base_offset <= Offset(offset), "{offset}");
        let near = batches(&log[at..]).take(3).any(|batch| batch.header.end() > Offset(offset));
        assert!(near, "{offset} is found within one step of the index");
    }
    let at = footer.floor_by_time(TimestampMs(1_100)) as usize;
    assert!(batches(&log[..at]).all(|batch| batch.header.max_timestamp < TimestampMs(1_100)));
    assert!(batches(&log[at..]).take(3).any(|batch| batch.header.max_timestamp >= TimestampMs(1_100)));
}

#[test]
fn files_that_follow_each_other_make_the_object_that_one_file_would() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(150);
    let whole = packed(&RealDisk, folder.path(), &log).unwrap();
    let cuts: Vec<usize> =
        [0, 1, 2, 120].iter().map(|batch| batches(&log).nth(*batch).unwrap().position).collect();
    let ends = cuts[1..].iter().copied().chain([log.len()]);
    let source = |(number, (from, to)): (usize, (usize, usize))| {
        let file = RealDisk.open(&folder.path().join(number.to_string()), OpenMode::Create).unwrap();
        file.write_at(0, &[IoSlice::new(&log[from..to])]).unwrap();
        Source { file, at: 0, bytes: u32::try_from(to - from).unwrap() }
    };
    let sources: Vec<Source> = cuts.iter().copied().zip(ends).enumerate().map(source).collect();

    let joined = pack(&sources, surroundings()).unwrap();

    assert_eq!(joined.range, whole.range);
    assert_eq!(joined.parts.concat(), whole.parts.concat());
    assert!(matches!(pack(&[], surroundings()), Err(PackError::Nothing)));
}

#[test]
fn a_disk_that_cannot_map_files_gives_the_same_object() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, log) = (SimDisk::default(), log(5));
    sim.create_dir(Path::new("/d")).unwrap();

    let read = packed(&sim, Path::new("/d"), &log).unwrap();
    let mapped = packed(&RealDisk, folder.path(), &log).unwrap();

    assert_eq!((read.parts, read.range), (mapped.parts, mapped.range));
}

#[test]
fn what_is_damaged_is_not_uploaded() {
    let folder = tempfile::tempdir().unwrap();
    let mut bad = log(5);
    bad[50_000] ^= 1;
    assert!(matches!(packed(&RealDisk, folder.path(), &bad), Err(PackError::Damaged(_))));
    let whole = log(2);
    let cut = packed(&RealDisk, folder.path(), &whole[..whole.len() - 5]);
    assert!(matches!(cut, Err(PackError::NoBatch(_))));
}
