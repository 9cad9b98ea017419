//! Replay: everything read once while nothing of it is cached, beside raw requests of the same client.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::gets::{Gets, GetsArguments, Sink};
use super::history::Laid;
use super::metrics::{Highest, metrics};
use super::reader::replay;
use super::slow::Manner;
use super::stage::Stage;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::process::{Usage, machine_user_seconds, share_of_others};
use crate::scenario::TierReplay;

/// Nothing is kept on local disk, and no objects come but those that are laid down.
const SETTINGS: &str = "cache = \"0B\"\nmax_age = \"1h\"\nstate_interval = \"1day\"\n";

pub async fn tier_replay(harness: &Harness, directory: &Path, work: &TierReplay) -> Result<Measurement> {
    let runtime = &harness.runtime;
    let manner = Manner {
        first_byte: Duration::from_millis(work.first_byte_ms),
        connection_bytes_per_second: work.connection_mb_per_second.map(|rate| rate * 1e6),
        bytes_per_second: work.store_mb_per_second.map(|rate| rate * 1e6),
        is_elsewhere: false,
    };
    let manner = (manner != Manner::default()).then_some(manner);
    let mut stage = Stage::set(harness, directory, work.bucket, manner, SETTINGS).await?;
    let laid = Laid::cold(&stage.client()?, &work.history).await?;

    let sink = Sink::start(runtime).await?;
    let port = stage.slow.as_ref().map(|slow| slow.port);
    let raw =
        GetsArguments { url: stage.store.url(port), requests: work.requests, to: None, mb_per_second: None };
    let relayed = GetsArguments { to: Some(sink.port), ..raw.clone() };
    let mut measurement = Measurement::default();
    // The first turn brings the store's files into the page cache for all.
    Gets::once(runtime, &GetsArguments { requests: 32, ..raw.clone() }).await?;
    measurement.set("raw_mb_per_second", Gets::once(runtime, &raw).await?);
    measurement.set("relayed_mb_per_second", Gets::once(runtime, &relayed).await?);

    stage.start_again().await?;
    let server = stage.server()?;
    let held = Highest::watch(runtime, server, "aquifer_cold_held_bytes")?;
    let look = || -> Result<(Usage, Usage, Usage, f64)> {
        Ok((server.usage()?, stage.store.usage()?, Usage::of_self()?, machine_user_seconds()?))
    };
    let before = look()?;
    let replayed = replay(runtime, server, &laid).await?;
    let after = look()?;
    measurement.set("mb_per_second", replayed.mb_per_second());
    measurement.set("bytes", replayed.bytes);
    let cpu = after.0.cpu_seconds - before.0.cpu_seconds;
    measurement.set("server_cpu_seconds_per_gb", cpu / (replayed.bytes / 1e9));
    measurement.set("server_memory_grown_mb", grown_mb(&after.0, &before.0));
    measurement.set("cold_held_mb", held.stop().await? / 1e6);
    let known = [(after.0, before.0), (after.1, before.1), (after.2, before.2)];
    let known: f64 = known.iter().map(|(now, then)| now.user_seconds - then.user_seconds).sum();
    measurement.set("others_cpu_share", share_of_others(after.3 - before.3, known, replayed.seconds));
    let metrics = metrics(server).await?;
    let asked = metrics.get("aquifer_tier_read_bytes_total").context("no metric of bytes read")?;
    measurement.set("store_bytes_per_byte", asked / replayed.bytes);
    stage.stop().await?;
    Ok(measurement)
}

/// What a server's memory reached beyond what it took before.
fn grown_mb(after: &Usage, before: &Usage) -> f64 {
    after.resident_bytes_max.saturating_sub(before.resident_bytes) as f64 / 1e6
}
