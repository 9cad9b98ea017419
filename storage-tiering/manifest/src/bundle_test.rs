//! Bundles name themselves, and no damage goes unnoticed.

use std::fmt::Write as _;
use std::path::Path;

use aquifer_types::BatchEpoch;
use proptest::prelude::*;

use super::*;

fn index(sizes: &[(u32, u32)]) -> BundleIndex {
    let key = BundleKey::drawn(0x1_0000_0000_0007, 0x0123_4567_89ab_cdef);
    let mut position = BUNDLE_HEADER.len() as u32;
    let entry = |(place, (bytes, footer_bytes)): (usize, &(u32, u32))| {
        let base = Offset(place as i64 * 100);
        let range = TierRange {
            base,
            end: base.plus(10),
            bytes: *bytes,
            footer_bytes: *footer_bytes,
            max_timestamp: TimestampMs(1_700_000_000_000),
            leader_epoch: LeaderEpoch(3),
            generation: key.generation,
            nonce: key.nonce_of(place),
            position,
        };
        position += bytes + footer_bytes;
        let link = |end| Link { end, epoch: BatchEpoch(2), crc: 0xdead_beef };
        BundleEntry {
            at: TopicPartition {
                topic: TopicId(Uuid::from_bytes([2; 16])),
                partition: PartitionIndex(place as i32),
            },
            range,
            is_rewrite: place == 1,
            previous: (place > 0).then(|| link(base)),
            last: link(range.end),
        }
    };
    let entries = sizes.iter().enumerate().map(entry).collect();
    BundleIndex { cluster: ClusterId(Uuid::from_bytes([1; 16])), key, entries }
}

/// Everything behind the ranges, and how large the bundle is.
fn encoded(index: &BundleIndex) -> (Vec<u8>, u64) {
    let tail = index.encode();
    let ranges: u64 = index.entries.iter().map(|entry| entry.range.object_bytes()).sum();
    let bytes = BUNDLE_HEADER.len() as u64 + ranges + tail.len() as u64;
    (tail, bytes)
}

fn read(tail: &[u8], bytes: u64, like: &BundleIndex) -> Result<BundleIndex, BadBundle> {
    BundleIndex::decode(tail, like.cluster, like.key, bytes)
}

const SIZES: [(u32, u32); 3] = [(1_000, 300), (70, 290), (5, 1)];

#[test]
fn a_name_reads_back_and_no_other_text_does() {
    let BundleIndex { cluster, key, .. } = index(&SIZES);

    let name = key.name(cluster);
    let rest = name.strip_prefix(&BundleKey::all(cluster)).expect("it begins with the prefix");

    assert_eq!(BundleKey::parse(rest), Ok(key));
    assert!(rest.ends_with("/0001000000000007-0123456789abc000.aqb"), "{rest}");
    let (spread, own) = rest.split_once('/').expect("two parts");
    let other = if spread == "00" { "01" } else { "00" };
    for foreign in ["", "00/", &format!("{other}/{own}"), own, &rest.replace("c000", "c001"), &rest[1..]] {
        assert!(BundleKey::parse(foreign).is_err(), "{foreign}");
    }
}

#[test]
fn a_bundle_and_its_ranges_find_each_other() {
    let index = index(&SIZES);

    for entry in &index.entries {
        assert_eq!(BundleKey::of(&entry.range), Some(index.key));
        assert_eq!(BundleKey::of(&entry.range.by_itself()), None);
    }
    let last = BUNDLE_RANGES_MAX - 1;
    let range = TierRange { nonce: index.key.nonce_of(last), ..index.entries[0].range };
    assert_eq!(BundleKey::of(&range), Some(index.key));
    assert_ne!(index.key.nonce_of(0), index.key.nonce, "no range has the bundle's own");
}

#[test]
fn an_index_reads_back_under_its_own_name_and_size_alone() {
    let index = index(&SIZES);
    let (tail, bytes) = encoded(&index);

    assert_eq!(BundleIndex::length(&tail), Ok(tail.len() as u32));
    assert_eq!(read(&tail, bytes, &index), Ok(index.clone()));
    assert_eq!(read(&[&[7; 99], &tail[..]].concat(), bytes, &index), Ok(index.clone()));
    assert_eq!(read(&tail, bytes + 1, &index), Err(BadBundle::Damaged));
    assert_eq!(read(&tail, 1, &index), Err(BadBundle::Damaged));
    let renamed = BundleIndex { key: BundleKey::drawn(1, 2), ..index.clone() };
    assert_eq!(read(&tail, bytes, &renamed), Err(BadBundle::Misnamed));
    let elsewhere = BundleIndex { cluster: ClusterId(Uuid::from_bytes([9; 16])), ..index };
    assert_eq!(read(&tail, bytes, &elsewhere), Err(BadBundle::Misnamed));
}

#[test]
fn ranges_that_overlap_or_swap_numbers_are_no_bundle() {
    let changes: [fn(&mut BundleIndex); 4] = [
        |index| index.entries[1].range.position -= 1,
        |index| index.entries.swap(0, 1),
        |index| index.entries[1].range.nonce = index.key.nonce_of(2),
        |index| index.entries[2].range.bytes = 0,
    ];
    for change in changes {
        let mut index = index(&SIZES);
        change(&mut index);
        let (tail, bytes) = encoded(&index);
        assert_eq!(read(&tail, bytes, &index), Err(BadBundle::Damaged));
    }
}

/// `UPDATE_GOLDEN=1 cargo test -p aquifer-manifest golden` writes the file anew.
#[test]
fn a_golden_index_is_written_and_read_as_ever() {
    let index = index(&SIZES);
    let (tail, bytes) = encoded(&index);
    let whole = [&BUNDLE_HEADER[..], &tail].concat();
    let now = whole.chunks(50).fold(String::new(), |mut text, line| {
        line.iter().for_each(|byte| write!(text, "{byte:02x}").expect("into memory"));
        text + "\n"
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/bundle.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &now).expect("write the golden file");
    }

    assert_eq!(now, std::fs::read_to_string(&path).expect("read the golden file"));
    assert_eq!(read(&whole, bytes, &index), Ok(index.clone()));
}

proptest! {
    #[test]
    fn whatever_is_bundled_reads_back(sizes in prop::collection::vec((1u32..100_000, 0u32..1_000), 0..40)) {
        let index = index(&sizes);
        let (tail, bytes) = encoded(&index);
        prop_assert_eq!(read(&tail, bytes, &index), Ok(index.clone()));
    }

    #[test]
    fn no_damage_goes_unnoticed_and_none_panics(at in 0usize..2_000, flip in 1u8.., kept in 0usize..2_000) {
        let index = index(&SIZES);
        let (mut tail, bytes) = encoded(&index);
        let cut = &tail[kept.min(tail.len() - 1) + 1..];
        prop_assert!(cut.len() == tail.len() || read(cut, bytes, &index).is_err());
        let at = at % tail.len();
        tail[at] ^= flip;
        prop_assert!(read(&tail, bytes, &index).is_err());
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // With trailers that hold, so that what is read behind them is arbitrary.
        let mut trailer = [&MAGIC[..], &VERSION.to_be_bytes(), &(bytes.len() as u32).to_be_bytes()].concat();
        trailer.extend(crc32c::crc32c(&bytes).to_be_bytes());
        trailer.resize(TRAILER_BYTES - 4, 0);
        let crc = crc32c::crc32c(&trailer);
        let whole = [&bytes[..], &trailer, &crc.to_be_bytes()].concat();
        let like = index(&SIZES);
        prop_assert!(read(&whole, whole.len() as u64, &like).is_err());
    }
}
