//! `Runner`: goes through a scenario's rounds, starting servers as they are needed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::floor;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::meter::Timing;
use crate::progress::Progress;
use crate::report::{Round, ScenarioReport};
use crate::scenario::{Run, Scenario, Work};
use crate::server::{Kind, Server};
use crate::verify;
use crate::work::{self, OwnDevice};

/// Goes through scenarios. Servers that need no directory of their own serve all of them.
pub struct Runner {
    harness: Harness,
    servers: BTreeMap<Kind, Server>,
    /// How long a server works before it is first measured.
    pub server_warm_up: Timing,
}

impl Runner {
    pub fn new(harness: Harness, server_warm_up: Timing) -> Runner {
        Runner { harness, servers: BTreeMap::new(), server_warm_up }
    }

    /// How many steps [`Runner::scenario`] shows for these.
    pub fn steps(scenarios: &[Scenario]) -> usize {
        let steps = scenarios.iter().map(|scenario| {
            scenario.runs.iter().map(|run| run.rounds.unwrap_or(scenario.rounds)).sum::<usize>()
        });
        steps.sum()
    }

    /// Runs all rounds. What fails is noted and tried again in the next round.
    pub async fn scenario(&mut self, scenario: &Scenario, progress: &mut Progress) -> ScenarioReport {
        let rounds = scenario.runs.iter().map(|run| run.rounds.unwrap_or(scenario.rounds)).max();
        let (mut measured, mut failures) = (Vec::new(), Vec::new());
        for index in 0..rounds.unwrap_or(0) {
            let mut round = Round::default();
            for run in scenario.runs.iter().filter(|run| index < run.rounds.unwrap_or(scenario.rounds)) {
                let what = format!("{} {}", scenario.name, run.label);
                progress.begin(&what);
                match self.run(scenario, run).await {
                    Ok(measurement) => {
                        progress.end(&format!("{what}: {}", headline(&measurement)));
                        round.runs.push((run.label.clone(), measurement));
                    }
                    Err(error) => {
                        progress.end(&format!("{what}: failed: {error:#}"));
                        failures.push(format!("round {}, {}: {error:#}", index + 1, run.label));
                        // Whatever is wrong with a server does not disturb the next run.
                        if let Some(kind) = run.server {
                            self.servers.remove(&kind);
                        }
                    }
                }
            }
            measured.push(round);
        }
        ScenarioReport::new(scenario, measured, failures)
    }

    /// Asks all servers to end.
    pub async fn stop(self) -> Result<()> {
        for (_, server) in self.servers {
            server.stop(&self.harness.runtime).await?;
        }
        Ok(())
    }

    async fn run(&mut self, scenario: &Scenario, run: &Run) -> Result<Measurement> {
        let harness = Harness { timing: scenario.timing(run), ..self.harness.clone() };
        let Some(kind) = run.server else { return floor(&harness, &run.work).await };
        if let Some(reason) = harness.programs.missing(kind) {
            anyhow::bail!("skipped: {reason}");
        }
        if let Work::Start(work) = &run.work {
            let directory = harness.fresh_directory("start")?;
            let measurement = work::start(&harness, kind, &directory, work).await;
            std::fs::remove_dir_all(directory)?;
            return measurement;
        }
        if let Work::Reload(work) = &run.work {
            let directory = harness.fresh_directory("reload")?;
            let measurement = work::reload(&harness, kind, &directory, work).await;
            std::fs::remove_dir_all(directory)?;
            return measurement;
        }
        if let Some(measurement) = tier(&harness, &run.work).await? {
            return Ok(measurement);
        }
        let own_device = matches!(&run.work, Work::Produce(work) if work.own_device);
        if run.fresh || own_device {
            return fresh(&harness, kind, &run.work, own_device).await;
        }
        let server = self.server(kind).await?;
        serve(&harness, server, &run.work).await
    }

    async fn server(&mut self, kind: Kind) -> Result<&Server> {
        if !self.servers.contains_key(&kind) {
            let directory = self.harness.fresh_directory("server")?;
            let server = self.harness.programs.start(&self.harness.runtime, kind, &directory).await?;
            let harness = Harness { timing: self.server_warm_up, ..self.harness.clone() };
            work::warm_up(&harness, &server).await.context("warm the server up")?;
            self.servers.insert(kind, server);
        }
        self.servers.get(&kind).context("a server that was just started")
    }
}

/// A run on a server that nothing ran on before and nothing will run on after.
async fn fresh(harness: &Harness, kind: Kind, work: &Work, own_device: bool) -> Result<Measurement> {
    let directory = harness.fresh_directory("fresh")?;
    let device = if own_device { Some(OwnDevice::mount(&directory)?) } else { None };
    let data: PathBuf = device.as_ref().map_or(directory.as_path(), OwnDevice::path).join("server");
    let server = harness.programs.start(&harness.runtime, kind, &data).await?;
    let measurement = serve(harness, &server, work).await;
    let stopped = server.stop(&harness.runtime).await;
    drop(device);
    std::fs::remove_dir_all(directory)?;
    let measurement = measurement?;
    stopped?;
    Ok(measurement)
}

/// What a work on the tier measures, which starts a server of its own; nothing of other works.
async fn tier(harness: &Harness, work: &Work) -> Result<Option<Measurement>> {
    if !work.has_own_store() {
        return Ok(None);
    }
    let directory = harness.fresh_directory("tier")?;
    let at = directory.as_path();
    let measurement = match work {
        Work::TierReplay(work) => work::tier_replay(harness, at, work).await.map(Some),
        Work::TierWarm(work) => work::tier_warm(harness, at, work).await.map(Some),
        Work::TierReplayLatency(work) => work::tier_replay_latency(harness, at, work).await.map(Some),
        Work::TierUploadLatency(work) => work::tier_upload_latency(harness, at, work).await.map(Some),
        Work::TierSeek(work) => work::tier_seek(harness, at, work).await.map(Some),
        Work::TierIdle(work) => work::tier_idle(harness, at, work).await.map(Some),
        Work::TierUploads(work) => work::tier_uploads(harness, at, work).await.map(Some),
        Work::TierRestore(work) => work::tier_restore(harness, at, work).await.map(Some),
        _ => Ok(None),
    };
    std::fs::remove_dir_all(directory)?;
    measurement
}

async fn serve(harness: &Harness, server: &Server, work: &Work) -> Result<Measurement> {
    match work {
        Work::Produce(work) => work::produce(harness, server, work).await,
        Work::Fetch(work) => work::fetch(harness, server, work).await,
        Work::EndToEnd(work) => work::end_to_end(harness, server, work).await,
        Work::Idle(work) => work::idle(harness, server, work).await,
        Work::Memory(work) => work::memory(harness, server, work).await,
        Work::Verify(work) => verify::run(harness, server, work).await,
        Work::Members(work) => work::members(harness, server, work).await,
        Work::Commits(work) => work::commits(harness, server, work).await,
        Work::Departure(work) => work::departure(harness, server, work).await,
        Work::IdleConsumers(work) => work::idle_consumers(harness, server, work).await,
        Work::Consume(work) => work::consume(harness, server, work).await,
        Work::GatewayProduce(work) => work::gateway_produce(harness, server, work).await,
        Work::GrpcProduce(work) => work::grpc_produce(harness, server, work).await,
        Work::GatewayRead(work) => work::gateway_read(harness, server, work).await,
        Work::AddedLatency(work) => work::added_latency(harness, server, work).await,
        Work::Parked(work) => work::parked(harness, server, work).await,
        _ => anyhow::bail!("this work needs no server"),
    }
}

/// What a floor measures. Works of servers are no floors.
pub async fn floor(harness: &Harness, work: &Work) -> Result<Measurement> {
    match work {
        Work::Ingest(work) => floor::ingest(harness, work).await,
        Work::Walfloor(work) => floor::walfloor(harness, work).await,
        Work::Sendfile(work) => floor::sendfile(harness, work).await,
        Work::Echo(work) => floor::echo(harness, work).await,
        Work::ColdRead(work) => floor::cold_read(harness, work).await,
        Work::HttpParse(work) => floor::http_parse(harness, work).await,
        Work::GrpcAck(work) => floor::grpc_ack(harness, work).await,
        _ => anyhow::bail!("this work is no floor"),
    }
}

/// The number that says most about a run.
fn headline(measurement: &Measurement) -> String {
    let known = [
        ("seek_gets_max", "GETs of a seek at most"),
        ("rpo_p99_seconds", "s of RPO p99"),
        ("restored_seconds", "s to restore"),
        ("end_to_end_p50_us", "µs end to end p50"),
        ("echo_p50_us", "µs p50"),
        ("added_p99_ms", "ms added at p99"),
        ("wake_p99_us", "µs to wake p99"),
        ("device_bytes_per_byte", "bytes written per byte"),
        ("mb_per_second", "MB/s"),
        ("groups_loaded_ms", "ms until groups answer"),
        ("converged_ms", "ms to converge"),
        ("memory_per_consumer_kib", "KiB a consumer"),
        ("groups_memory_mb", "MB for groups"),
        ("start_ms", "ms to start"),
        ("server_memory_mb", "MB of memory"),
        ("operations_per_second", "a second"),
        ("verified_records", "records verified"),
    ];
    let found = known.iter().find_map(|(name, unit)| Some((measurement.metric(name)?, unit)));
    found.map(|(value, unit)| format!("{value:.1} {unit}")).unwrap_or_default()
}
