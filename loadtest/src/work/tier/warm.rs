//! Warm: everything read from parts of objects on local disk, beside a topic that was never tiered.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::history::Laid;
use super::metrics::metrics;
use super::reader::{Replayed, replay};
use super::stage::Stage;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::TierWarm;
use crate::server::Server;

const SETTINGS: &str = "cache = \"16GiB\"\nmax_age = \"1h\"\nstate_interval = \"1day\"\n";
/// Turns after which everything must be on local disk: parts are written when they are read again, a few at a time.
const TURNS_MAX: usize = 200;
const PAUSE: Duration = Duration::from_millis(100);
/// Turns that are measured, of which the median counts.
const TURNS: usize = 5;

pub async fn tier_warm(harness: &Harness, directory: &Path, work: &TierWarm) -> Result<Measurement> {
    let runtime = &harness.runtime;
    let mut stage = Stage::set(harness, directory, work.bucket, None, SETTINGS).await?;
    let client = stage.client()?;
    let cold = Laid::cold(&client, &work.history).await?;
    let hot = Laid::produce(&client, &work.history, false).await?;
    stage.start_again().await?;
    let server = stage.server()?;
    until_on_disk(harness, server, &cold).await?;
    replay(runtime, server, &hot).await?;
    let mut measurement = Measurement::default();
    let (mut warm, mut control) = (Vec::new(), Vec::new());
    // In turn, so that a machine whose speed drifts is the same for both.
    for _ in 0..TURNS {
        warm.push(turn(harness, server, &cold).await?);
        control.push(turn(harness, server, &hot).await?);
    }
    for (prefix, turns) in [("", warm), ("hot_", control)] {
        let (rates, cpu): (Vec<f64>, Vec<f64>) = turns.into_iter().unzip();
        measurement.set(&format!("{prefix}mb_per_second"), median(rates));
        measurement.set(&format!("{prefix}server_cpu_seconds_per_gb"), median(cpu));
    }
    stage.stop().await?;
    Ok(measurement)
}

/// Megabytes per second, and the server's processor seconds for a gigabyte.
async fn turn(harness: &Harness, server: &Server, laid: &Laid) -> Result<(f64, f64)> {
    let before = server.usage()?;
    let replayed: Replayed = replay(&harness.runtime, server, laid).await?;
    let cpu = server.usage()?.cpu_seconds - before.cpu_seconds;
    Ok((replayed.mb_per_second(), cpu / (replayed.bytes / 1e9)))
}

/// Reads until nothing comes out of memory or the store any more.
async fn until_on_disk(harness: &Harness, server: &Server, laid: &Laid) -> Result<()> {
    let looks = async || {
        let metrics = metrics(server).await?;
        let value = |name: &str| metrics.get(name).copied().context("a metric is missing");
        Ok::<_, anyhow::Error>(value("aquifer_cold_hits_total")? + value("aquifer_cold_fills_total")?)
    };
    for _ in 0..TURNS_MAX {
        let before = looks().await?;
        replay(&harness.runtime, server, laid).await?;
        if looks().await? == before {
            return Ok(());
        }
        harness.runtime.sleep(PAUSE).await;
    }
    anyhow::bail!("not everything comes to stand on local disk")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
