//! Cold read: a file from its start to its end through an empty page cache.

use std::fs::File;
use std::io::Read;

use anyhow::{Context as _, Result};

use crate::clock::nanoseconds;
use crate::floor::sendfile::write_file;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::ColdRead;
use crate::system::{cached_bytes, drop_cached};

const READ_BYTES: usize = 1 << 20;

pub async fn cold_read(harness: &Harness, work: &ColdRead) -> Result<Measurement> {
    let path = harness.fresh_directory("cold-read")?.join("file");
    let (runtime, bytes) = (harness.runtime.clone(), work.bytes);
    let read = harness.runtime.spawn_blocking("cold read", move || -> Result<Measurement> {
        write_file(&path, bytes)?;
        let mut file = File::open(&path)?;
        file.sync_all()?;
        drop_cached(&file)?;
        let cached = cached_bytes(&file).unwrap_or(0);
        let mut buffer = vec![0; READ_BYTES];
        let started = nanoseconds(&runtime);
        while file.read(&mut buffer)? > 0 {}
        let seconds = (nanoseconds(&runtime) - started) as f64 / 1e9;
        std::fs::remove_file(path)?;
        let mut measurement = Measurement::default();
        measurement.set("mb_per_second", bytes as f64 / 1e6 / seconds);
        measurement.set("cached_mb_before", cached as f64 / 1e6);
        Ok(measurement)
    });
    read.await.context("the floor failed")?
}
