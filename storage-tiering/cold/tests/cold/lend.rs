//! A store that is a folder: readers are sent its own files, and what damage and deletion come to.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

async fn store() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    (Store::open(&url, &Runtime::real()).await.unwrap(), folder)
}

async fn folder(record_bytes: usize) -> (Tier, TempDir) {
    let (store, folder) = store().await;
    (Tier::within(store, record_bytes).await, folder)
}

/// What a reader from this offset gets until the end, part by part.
async fn parts(tier: &Tier, cold: &Cold) -> Vec<Part> {
    let news = Arc::new(Notify::new());
    let told = news.clone();
    let wake: Wake = Arc::new(move || told.notify_one());
    let mut all = Vec::new();
    let mut from = Offset(0);
    while let Some(at) = tier.ranges.iter().position(|range| range.end > from) {
        let ranges = &tier.ranges[at..];
        let upto = Offset(3 * BATCHES);
        let wanted = Wanted { place: PLACE, reader: 1, ranges, from, upto, bytes_max: 4 << 20 };
        match cold.read(&wanted, Some(&wake)) {
            Found::Ready { parts, next } => {
                all.extend(parts);
                from = next;
            }
            Found::Filling => news.notified().await,
            Found::Failed(error) => panic!("{error}"),
        }
    }
    all
}

fn object(tier: &Tier, folder: &TempDir, at: usize) -> PathBuf {
    folder.path().join(PLACE.key(&tier.ranges[at]))
}

/// Of this process.
fn holds_open(path: &Path) -> bool {
    let is_it = |link: PathBuf| link.to_string_lossy().starts_with(&*path.to_string_lossy());
    let open = fs::read_dir("/proc/self/fd").unwrap();
    open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).any(is_it)
}

#[tokio::test]
async fn readers_are_sent_the_files_of_the_store_and_each_chunk_is_read_once() {
    let (tier, _folder) = folder(RECORD_BYTES).await;
    let cold = tier.cold(Limits::default()).await;

    let first = parts(&tier, &cold).await;
    let second = parts(&tier, &cold).await;

    for parts in [&first, &second] {
        assert!(parts.iter().all(|part| matches!(part, Part::File { .. })), "nothing passes through memory");
        assert!(parts.iter().map(bytes).collect::<Vec<_>>().concat() == tier.log);
    }
    let chunks: u64 = tier.ranges.iter().map(|range| u64::from(range.bytes.div_ceil(CHUNK_BYTES))).sum();
    assert_eq!(tier.reads(), chunks + 3, "and three footers");
    assert!(cold.counters().held_bytes() < 1 << 20, "nothing but footers is in memory");
}

#[tokio::test]
async fn what_lies_in_a_bundle_is_sent_from_where_it_lies() {
    let (store, _folder) = store().await;
    let tier = Tier::bundled(store).await;
    let cold = tier.cold(Limits::default()).await;

    let parts = parts(&tier, &cold).await;

    assert!(parts.iter().all(|part| matches!(part, Part::File { .. })), "nothing passes through memory");
    assert!(parts.iter().map(bytes).collect::<Vec<_>>().concat() == tier.log);
}

#[tokio::test]
async fn what_was_copied_out_of_a_bundle_is_sent_from_its_copy() {
    let (store, _folder) = store().await;
    let mut tier = Tier::bundled(store).await;
    let cold = tier.cold(Limits::default()).await;
    parts(&tier, &cold).await;

    for range in &mut tier.ranges {
        let begins = range.begins();
        let whole = begins..begins + range.object_bytes();
        let object = tier.store.read(&PLACE.key(range), whole).await.unwrap();
        *range = range.by_itself();
        tier.store.create(&PLACE.key(range), &[object]).await.unwrap();
    }

    let parts = parts(&tier, &cold).await;
    assert!(parts.iter().all(|part| matches!(part, Part::File { .. })), "nothing passes through memory");
    assert!(parts.iter().map(bytes).collect::<Vec<_>>().concat() == tier.log);
}

#[tokio::test]
async fn a_reader_at_any_offset_gets_what_is_there() {
    let (tier, _folder) = folder(10_000).await;
    let cold = tier.cold(Limits::default()).await;
    let size = tier.log.len() / (3 * BATCHES) as usize;
    for from in 0..3 * BATCHES {
        let (parts, next) = tier.read(&cold, from, 1 << 20).await.expect("readable");
        assert!(next > from);
        let expected = &tier.log[from as usize * size..next as usize * size];
        assert_eq!(parts.concat(), expected, "from {from}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_told_of_and_not_sent_until_it_is_right_again() {
    let (tier, folder) = folder(RECORD_BYTES).await;
    let cold = tier.cold(Limits::default()).await;
    let file = fs::File::options().read(true).write(true).open(object(&tier, &folder, 1)).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 1_000).unwrap();
    file.write_all_at(&[!byte[0]], 1_000).unwrap();

    assert_eq!(tier.read(&cold, BATCHES, 1 << 20).await.unwrap_err(), Problem::Corrupt);
    let (sound, _) = tier.read(&cold, 0, 1 << 20).await.expect("readable");
    assert!(tier.log.starts_with(&sound.concat()), "others are served meanwhile");
    file.write_all_at(&byte, 1_000).unwrap();
    while tier.read(&cold, BATCHES, 1 << 20).await.is_err() {
        tier.runtime.sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_file_that_is_away_is_told_of() {
    let (tier, folder) = folder(RECORD_BYTES).await;
    let cold = tier.cold(Limits::default()).await;
    tier.read(&cold, 0, 1 << 20).await.expect("readable");
    fs::write(object(&tier, &folder, 1), b"short").unwrap();

    assert!(tier.read(&cold, BATCHES, 1 << 20).await.is_err());
}

#[tokio::test]
async fn a_deleted_object_is_not_held_open() {
    let (tier, folder) = folder(RECORD_BYTES).await;
    let cold = tier.cold(Limits::default()).await;
    assert!(tier.read_all(&cold).await == tier.log);
    let (gone, kept) = (object(&tier, &folder, 0), object(&tier, &folder, 1));
    assert!(holds_open(&gone) && holds_open(&kept));

    tier.store.delete(&PLACE.key(&tier.ranges[0])).await.expect("deleted");
    cold.forget(&tier.ranges[0]);

    assert!(!holds_open(&gone) && holds_open(&kept));
}
