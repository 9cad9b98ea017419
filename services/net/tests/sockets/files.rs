//! File ranges arrive byte for byte, by sendfile where they can, and never make the reactor wait for the disk.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aquifer_disk::{Disk, File, FileHandle, OpenMode, RealDisk, SimDisk, WriteError};
use aquifer_net::Limits;
use tokio::net::TcpStream;

use super::support::{Client, Started, file_request, pattern, start, within};

fn file_of(disk: &dyn Disk, directory: &Path, contents: &[u8]) -> FileHandle {
    let file = disk.open(&directory.join("file"), OpenMode::Create).expect("opens");
    file.write_at(0, &[IoSlice::new(contents)]).expect("writes");
    file
}

/// A file that says nothing is in memory until it was read, and notes what was asked of it.
#[derive(Debug)]
struct ColdFile {
    inner: FileHandle,
    read: Mutex<Vec<(u64, u64)>>,
    probes: AtomicU64,
    thread: std::thread::ThreadId,
}

impl ColdFile {
    fn new(inner: FileHandle) -> Arc<ColdFile> {
        let thread = std::thread::current().id();
        Arc::new(ColdFile { inner, read: Mutex::default(), probes: AtomicU64::new(0), thread })
    }

    /// How far the file was read without a gap.
    fn read_upto(&self) -> u64 {
        let mut read = self.read.lock().expect("not poisoned").clone();
        read.sort_unstable();
        read.into_iter().fold(0, |upto, (from, end)| if from <= upto { upto.max(end) } else { upto })
    }
}

impl File for ColdFile {
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        assert_ne!(std::thread::current().id(), self.thread, "read on the reactor");
        let read = self.inner.read_at(at, buffer)?;
        self.read.lock().expect("not poisoned").push((at, at + read as u64));
        Ok(read)
    }

    fn write_at(&self, at: u64, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        self.inner.write_at(at, parts)
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.inner.set_size(bytes)
    }

    fn begin_write_back(&self, at: u64, bytes: u64) {
        self.inner.begin_write_back(at, bytes);
    }

    fn is_resident(&self, at: u64, bytes: u64) -> bool {
        self.probes.fetch_add(1, Ordering::Relaxed);
        let read = self.read.lock().expect("not poisoned");
        let mut upto = at;
        let mut read = read.clone();
        read.sort_unstable();
        for (from, end) in read {
            if from <= upto {
                upto = upto.max(end);
            }
        }
        upto >= at + bytes
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inner.descriptor()
    }
}

async fn expect(client: &mut Client<TcpStream>, contents: &[u8], ranges: &[(u8, u64, u64)]) {
    client.send_frame(&file_request(ranges)).await;
    let mut expected = Vec::new();
    for &(file, at, bytes) in ranges {
        expected.push(file);
        expected.extend_from_slice(&contents[usize::try_from(at).expect("small")..][..bytes as usize]);
    }
    assert!(client.receive().await == expected, "wrong bytes for {ranges:?}");
}

fn serving(file: FileHandle) -> Started {
    let started = start(Limits::default());
    started.service.files.lock().expect("not poisoned").push(file);
    started
}

#[tokio::test]
async fn ranges_of_every_size_arrive_byte_for_byte() {
    let directory = tempfile::tempdir().expect("a directory");
    let contents = pattern(6 << 20);
    let started = serving(file_of(&RealDisk, directory.path(), &contents));
    let mut client = started.connect().await;

    for bytes in [0, 1, 16_383, 16_384, 16_385, 131_072, 131_073, 1_100_000, 5 << 20] {
        expect(&mut client, &contents, &[(0, 77_777, bytes)]).await;
    }

    let large = [16_384u64, 16_385, 131_072, 131_073, 1_100_000, 5 << 20];
    assert_eq!(started.metrics.sendfile_bytes.value(), large.iter().sum::<u64>());
}

#[tokio::test]
async fn small_and_large_ranges_mix_in_one_reply() {
    let directory = tempfile::tempdir().expect("a directory");
    let contents = pattern(1 << 20);
    let started = serving(file_of(&RealDisk, directory.path(), &contents));
    let mut client = started.connect().await;
    let ranges: Vec<_> = (0..300u64)
        .map(|number| (0, number * 1_000, if number % 7 == 0 { 40_000 } else { number * 13 }))
        .collect();

    expect(&mut client, &contents, &ranges).await;
    expect(&mut client, &contents, &ranges[3..40]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_gets_it_all_and_holds_up_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let contents = pattern(24 << 20);
    let started = serving(file_of(&RealDisk, directory.path(), &contents));
    let mut slow = started.connect().await;
    slow.send_frame(&file_request(&[(0, 0, 24 << 20)])).await;
    let mut other = started.connect().await;

    for _ in 0..20 {
        expect(&mut other, &contents, &[(0, 5, 200_000)]).await;
    }

    let reply = slow.receive().await;
    assert!(reply[1..] == contents);
}

#[tokio::test]
async fn cold_ranges_are_read_by_others_before_they_are_sent() {
    let directory = tempfile::tempdir().expect("a directory");
    let contents = pattern(9 << 20);
    let cold = ColdFile::new(file_of(&RealDisk, directory.path(), &contents));
    let started = serving(Arc::clone(&cold) as FileHandle);
    let mut client = started.connect().await;

    expect(&mut client, &contents, &[(0, 0, (5 << 20) + 20_000)]).await;

    // All of it was waited for elsewhere, and nothing beyond it was guessed.
    assert_eq!(cold.read_upto(), (5 << 20) + 20_000);
    assert_eq!(started.metrics.sendfile_bytes.value(), (5 << 20) + 20_000);
    assert_eq!(started.metrics.cold_reads.value(), 1);
}

#[tokio::test]
async fn a_sequential_reader_is_read_ahead_of() {
    let directory = tempfile::tempdir().expect("a directory");
    let contents = pattern(16 << 20);
    let cold = ColdFile::new(file_of(&RealDisk, directory.path(), &contents));
    let started = serving(Arc::clone(&cold) as FileHandle);
    let mut client = started.connect().await;

    for request in 0..16u64 {
        expect(&mut client, &contents, &[(0, request << 20, 1 << 20)]).await;
        if request == 8 {
            assert!(cold.read_upto() >= 9 << 20, "what was sent was read");
        }
    }

    // Only the first two requests found nothing started for them.
    assert_eq!(started.metrics.cold_reads.value(), 2);
}

#[tokio::test]
async fn a_cold_small_range_is_read_by_others_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let contents = pattern(1 << 20);
    let started = serving(file_of(&RealDisk, directory.path(), &contents));
    let mut client = started.connect().await;

    expect(&mut client, &contents, &[(0, 0, 10), (0, 20, 16_000), (0, 500_000, 1)]).await;

    assert_eq!(started.metrics.sendfile_bytes.value(), 0);
}

#[tokio::test]
async fn a_file_without_a_descriptor_is_copied() {
    let disk = SimDisk::default();
    disk.create_dir(Path::new("/data")).expect("creates");
    let contents = pattern(1 << 20);
    let started = serving(file_of(&disk, Path::new("/data"), &contents));
    let mut client = started.connect().await;

    expect(&mut client, &contents, &[(0, 3, 10), (0, 5, 1_000_000)]).await;

    assert_eq!(started.metrics.sendfile_bytes.value(), 0);
}

#[tokio::test]
async fn a_file_shorter_than_promised_closes_the_connection() {
    let directory = tempfile::tempdir().expect("a directory");
    let contents = pattern(100_000);
    let file = file_of(&RealDisk, directory.path(), &contents);
    for at in [50_000, 99_990] {
        let started = serving(Arc::clone(&file));
        let mut client = started.connect().await;
        client.send_frame(&file_request(&[(0, at, 100_000 - at + 5_000)])).await;

        let mut rest = Vec::new();
        let _ = within(tokio::io::AsyncReadExt::read_to_end(&mut client.0, &mut rest)).await;
        assert!(rest.len() < 5 + usize::try_from(100_000 - at).expect("small") + 5_000);
        started.until_idle().await;
    }
}
