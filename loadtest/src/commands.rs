//! What each command does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_client::{Client, NewTopic};
use aquifer_runtime::Runtime;

use crate::chaos::{self, Chaos, TierChaos};
use crate::cli::{ChaosCommand, Command, FloorName, Options, ServerName, VerifyCommand};
use crate::harness::Harness;
use crate::meter::Timing;
use crate::progress::Progress;
use crate::report::{Report, Round, ScenarioReport};
use crate::runner::{self, Runner};
use crate::scenario::{ColdRead, Echo, Frames, Scenario, Streams, Work};
use crate::server::{Kind, Programs, client};
use crate::suite;
use crate::verify::{Ledger, Producing, check, entries, produce};
use crate::work::gets;

const BROKER_START_LIMIT: Duration = Duration::from_secs(60);

/// A directory that is deleted with this.
struct Scratch(PathBuf);

pub async fn execute(command: Command) -> Result<ExitCode> {
    let runtime = Runtime::real();
    match command {
        Command::Run { scenario, options } => {
            let once = |mut scenario: Scenario| {
                scenario.rounds = 1;
                scenario.runs.iter_mut().for_each(|run| run.rounds = None);
                scenario
            };
            compare(&runtime, vec![once(Scenario::read(&scenario)?)], &options).await
        }
        Command::Compare { scenarios, options } => {
            let scenarios: Result<Vec<Scenario>> = scenarios.iter().map(Scenario::read).collect();
            compare(&runtime, scenarios?, &options).await
        }
        Command::Floor { name, streams, frame_bytes, sync, seconds, options } => {
            let work = floor_work(name, streams, frame_bytes, sync);
            floor(&runtime, name, &work, seconds, &options).await
        }
        Command::Suite { name, quick, only, rounds, options } => {
            let scenarios = suite::suite(name)?.into_iter();
            let wanted =
                scenarios.filter(|scenario| only.as_ref().is_none_or(|part| scenario.name.contains(part)));
            let prepared = wanted.map(|mut scenario| {
                scenario.rounds = rounds.unwrap_or(scenario.rounds);
                if quick { scenario.quickly() } else { scenario }
            });
            let mut options = options;
            if quick {
                (options.prewarm_mib, options.server_warm_up_seconds) = (0, 0.2);
            }
            compare(&runtime, prepared.collect(), &options).await
        }
        Command::Gets(arguments) => {
            println!("{:.3}", gets(&runtime, &arguments).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Report { report, out } => {
            let report = Report::read(&report)?;
            print!("{}", report.text());
            out.map_or(Ok(()), |directory| report.write(&directory))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Chaos(command) => chaos(&runtime, command).await,
        Command::Verify(command) => verify(&runtime, command).await,
    }
}

/// Runs scenarios, shows and writes the report. Fails if a run did not come about.
async fn compare(runtime: &Runtime, mut scenarios: Vec<Scenario>, options: &Options) -> Result<ExitCode> {
    anyhow::ensure!(!scenarios.is_empty(), "no scenario has such a name");
    for scenario in &mut scenarios {
        let left_out = |kind: Kind| options.without.contains(&name(kind));
        scenario.runs.retain(|run| !run.server.is_some_and(left_out));
    }
    let scratch = Scratch::create(runtime, options)?;
    let harness = harness(runtime, options, scratch.0.clone())?;
    let warm_up = Duration::from_secs_f64(options.server_warm_up_seconds);
    let mut runner = Runner::new(harness, Timing { warm_up: Duration::ZERO, measured: warm_up });
    let mut progress = Progress::new(Runner::steps(&scenarios));
    let mut report = Report { started_at: runtime.now().wall.0, scenarios: Vec::new() };
    for scenario in &scenarios {
        let measured = runner.scenario(scenario, &mut progress).await;
        println!("{}", measured.table());
        report.scenarios.push(measured);
        // After each scenario, so that little is lost if this is ended.
        report.write(&options.out)?;
    }
    runner.stop().await?;
    print!("{}", report.figures());
    println!("written to {}", options.out.display());
    let failed = report.scenarios.iter().any(|scenario| !scenario.failures.is_empty());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn floor(
    runtime: &Runtime,
    name: FloorName,
    work: &Work,
    seconds: f64,
    options: &Options,
) -> Result<ExitCode> {
    let scratch = Scratch::create(runtime, options)?;
    let mut harness = harness(runtime, options, scratch.0.clone())?;
    harness.timing = Timing { warm_up: Duration::from_secs(1), measured: Duration::from_secs_f64(seconds) };
    let measurement = runner::floor(&harness, work).await?;
    let rounds = vec![Round { runs: vec![(format!("{name:?}").to_lowercase(), measurement)] }];
    let report =
        ScenarioReport { name: "floor".to_owned(), rounds, figures: Vec::new(), failures: Vec::new() };
    print!("{}", report.table());
    Ok(ExitCode::SUCCESS)
}

async fn chaos(runtime: &Runtime, command: ChaosCommand) -> Result<ExitCode> {
    let (ChaosCommand::Groups { minutes, options, .. } | ChaosCommand::Tier { minutes, options }) = &command;
    let scratch = Scratch::create(runtime, options)?;
    let programs = harness(runtime, options, scratch.0.clone())?.programs;
    let (directory, lasts) = (scratch.0.clone(), Duration::from_secs_f64(minutes * 60.0));
    let (outcome, is_clean) = match command {
        ChaosCommand::Groups { members, partitions, .. } => {
            let chaos = Chaos { lasts, members, partitions, ..Chaos::default() };
            let outcome = chaos::groups(runtime, &programs, directory, &chaos).await?;
            (outcome.to_string(), outcome.violations.is_empty())
        }
        ChaosCommand::Tier { .. } => {
            let chaos = TierChaos { lasts, ..TierChaos::default() };
            let outcome = chaos::tier(runtime, &programs, directory, &chaos).await?;
            (outcome.to_string(), outcome.violations.is_empty())
        }
    };
    println!("{outcome}");
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn verify(runtime: &Runtime, command: VerifyCommand) -> Result<ExitCode> {
    match command {
        VerifyCommand::Produce {
            address,
            topic,
            partitions,
            producers,
            out,
            records_per_batch,
            record_bytes,
            seconds,
            give_up_after_seconds,
        } => {
            let client = client(runtime, &address);
            wait_for_broker(&client).await?;
            if client.topic(&topic).await.is_err() {
                let (partitions, replication_factor) = (Some(partitions), Some(1));
                let new =
                    NewTopic { name: topic.clone(), partitions, replication_factor, ..NewTopic::default() };
                client.create_topic(&new).await.context("create the topic")?;
            }
            let partitions = i32::try_from(client.topic(&topic).await?.partitions)?;
            let producing = Producing {
                address,
                topic,
                partitions,
                producers,
                records_per_batch,
                record_bytes,
                batches_per_second: None,
                run_for: seconds.map(Duration::from_secs_f64),
                give_up_after: Duration::from_secs_f64(give_up_after_seconds),
            };
            let acknowledged = produce(runtime, &producing, &Ledger::append_to(&out)?).await?;
            println!("{acknowledged} records acknowledged");
            Ok(ExitCode::SUCCESS)
        }
        VerifyCommand::Check { address, topic, ledger } => {
            let client = client(runtime, &address);
            wait_for_broker(&client).await?;
            let partitions = i32::try_from(client.topic(&topic).await?.partitions)?;
            let findings = check(&client, &topic, partitions, &entries(&ledger)?).await?;
            println!("{findings}");
            let failed = !findings.violations.is_empty();
            Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
    }
}

/// A broker that was just started, perhaps after a crash, may take its time.
async fn wait_for_broker(client: &Client) -> Result<()> {
    let runtime = client.runtime();
    let asking = async {
        while client.refresh(&[]).await.is_err() {
            runtime.sleep(Duration::from_millis(20)).await;
        }
    };
    let answered = runtime.timeout(BROKER_START_LIMIT, asking).await;
    answered.with_context(|| format!("no broker answered within {BROKER_START_LIMIT:?}"))
}

fn harness(runtime: &Runtime, options: &Options, directory: PathBuf) -> Result<Harness> {
    let beside = || Ok::<_, anyhow::Error>(std::env::current_exe()?.with_file_name("aquifer"));
    let programs = Programs {
        aquifer: options.aquifer.clone().map_or_else(beside, Ok)?,
        kafka: options.kafka.clone(),
        minio: options.minio.clone(),
        running: options.address.clone(),
    };
    let timing = Timing { warm_up: Duration::ZERO, measured: Duration::ZERO };
    let prewarm_bytes = options.prewarm_mib << 20;
    Ok(Harness { runtime: runtime.clone(), programs, directory, timing, prewarm_bytes })
}

fn floor_work(name: FloorName, streams: usize, frame_bytes: usize, sync: bool) -> Work {
    let frames = Frames { streams, frame_bytes, sync, ..Frames::default() };
    match name {
        FloorName::Ingest => Work::Ingest(frames),
        FloorName::Walfloor => Work::Walfloor(frames),
        FloorName::Sendfile => Work::Sendfile(Streams { streams, ..Streams::default() }),
        FloorName::Echo => Work::Echo(Echo { append_bytes: if sync { 4096 } else { 0 }, ..Echo::default() }),
        FloorName::ColdRead => Work::ColdRead(ColdRead::default()),
    }
}

fn name(kind: Kind) -> ServerName {
    match kind {
        Kind::Aquifer => ServerName::Aquifer,
        Kind::Kafka => ServerName::Kafka,
    }
}

impl Scratch {
    fn create(runtime: &Runtime, options: &Options) -> Result<Scratch> {
        let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
        let path = parent.join(format!("aquifer-loadtest-{:016x}", runtime.random_u64()));
        std::fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Scratch(absolute(&path)?))
    }
}

/// Servers are started elsewhere.
fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("find {}", path.display()))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
