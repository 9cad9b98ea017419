//! Restore: a cluster out of its bucket, without reading data; and a start of one with as many ranges.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::bucket::VARIABLES;
use super::history::{create_topic, flush, show};
use super::stage::Stage;
use crate::batch::Load;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::{Bucket, History, TierRestore};
use crate::server::Configured;
use crate::work::fetch::fill;

const SETTINGS: &str = "max_age = \"1h\"\nstate_interval = \"1s\"\n";
/// The cluster's state follows into the bucket within its interval.
const STATE_DELAY: Duration = Duration::from_secs(3);
const RECORD_BYTES: usize = 100;

pub async fn tier_restore(harness: &Harness, directory: &Path, work: &TierRestore) -> Result<Measurement> {
    let runtime = &harness.runtime;
    let mut stage = Stage::set(harness, directory, Bucket::Folder, None, SETTINGS).await?;
    let client = stage.client()?;
    let history = History { partitions: work.partitions, object_bytes: 1 << 20, ..History::default() };
    let topic = create_topic(&client, &history, true).await?;
    let load = Load::new(runtime, RECORD_BYTES * 2, RECORD_BYTES)?;
    let began = runtime.now().monotonic;
    for _ in 0..work.objects_per_partition {
        for partition in 0..work.partitions {
            fill(&client, &topic, aquifer_types::PartitionIndex(partition), &load, 1).await?;
        }
        flush(&client, &topic).await?;
    }
    let mut measurement = Measurement::default();
    measurement.set("laid_down_seconds", runtime.now().monotonic.since(began).as_secs_f64());
    let before: Vec<(i64, i32)> =
        show(&client, &topic).await?.iter().map(|part| (part.tier_end, part.objects)).collect();
    let ranges: i32 = before.iter().map(|(_, objects)| objects).sum();
    measurement.set("ranges", f64::from(ranges));
    runtime.sleep(STATE_DELAY).await;

    stage.start_again().await?;
    measurement.set("start_ms", stage.server()?.started_in.as_secs_f64() * 1e3);
    stage.stop().await?;
    let restored = directory.join("restored");
    let took = restore(harness, &stage.store.url(None), &restored.join("data")).await?;
    measurement.set("restored_seconds", took.as_secs_f64());

    let settings = format!("[tier]\nurl = \"{}\"\n{SETTINGS}", stage.store.url(None));
    let configured = Configured { lines: &settings, variables: &VARIABLES, port: None };
    let server = harness.programs.start_configured(runtime, &restored, &configured).await?;
    measurement.set("restored_start_ms", server.started_in.as_secs_f64() * 1e3);
    let client = server.client(runtime);
    let after = show(&client, &topic).await?;
    let same = after.iter().map(|part| (part.tier_end, part.objects)).eq(before.iter().copied());
    ensure!(same, "what was restored is not what there was");
    server.stop(runtime).await?;
    Ok(measurement)
}

async fn restore(harness: &Harness, url: &str, data: &Path) -> Result<Duration> {
    std::fs::create_dir_all(data.parent().context("a folder")?)?;
    let mut command = Command::new(&harness.programs.aquifer);
    command.args(["restore", "--from", url, "-o", "json", "--data-dir"]).arg(data);
    command.stdin(Stdio::null());
    let before = harness.runtime.now().monotonic;
    let running = harness.runtime.spawn_blocking("restore", move || command.output());
    let output = running.await.context("run aquifer restore")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "aquifer restore failed with {}: {said}", output.status);
    Ok(harness.runtime.now().monotonic.since(before))
}
