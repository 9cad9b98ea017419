//! Consume: how fast a program of somebody else, or our own command, reads a topic from start to end.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::batch::Load;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::{Consume, Durability, Program};
use crate::server::Server;
use crate::work::fetch::fill;
use crate::work::topic::{TestTopic, configs};

/// How often the Java program reads everything; the last time counts, when what it runs is compiled.
const JAVA_PASSES: u32 = 3;

pub async fn consume(harness: &Harness, server: &Server, work: &Consume) -> Result<Measurement> {
    let client = server.client(&harness.runtime);
    let load = Load::new(&harness.runtime, work.batch_bytes, work.record_bytes)?;
    let topic = TestTopic::create(&client, work.partitions, configs(server, Durability::PageCache)).await?;
    let batches = i64::try_from(work.bytes / load.batch.len())? / i64::from(work.partitions);
    for partition in 0..work.partitions {
        fill(&client, &topic, aquifer_types::PartitionIndex(partition), &load, batches.max(1)).await?;
    }
    let records = batches.max(1) * load.records * i64::from(work.partitions);
    let reading = Reading { harness, server, topic: &topic.name, records, record_bytes: work.record_bytes };
    let before = server.usage()?;
    let (rate, read) = match work.program {
        Program::Aquifer => reading.ours().await?,
        Program::Kcat => reading.kcat().await?,
        Program::Java => reading.java().await?,
    };
    let cpu = server.usage()?.cpu_seconds - before.cpu_seconds;
    let mut measurement = Measurement::default();
    measurement.set("mb_per_second", rate / 1e6);
    measurement.set("server_cpu_seconds_per_gb", cpu / (read / 1e9));
    topic.delete().await?;
    Ok(measurement)
}

/// A topic that is there to be read. Each way of reading gives bytes of values per second, and how many were read in all.
struct Reading<'a> {
    harness: &'a Harness,
    server: &'a Server,
    topic: &'a str,
    records: i64,
    record_bytes: usize,
}

impl Reading<'_> {
    fn bytes(&self, records: u64) -> f64 {
        records as f64 * self.record_bytes as f64
    }

    fn all(&self) -> u64 {
        self.records.unsigned_abs()
    }

    /// From the start of the process to its end, as a user waits for it.
    async fn ours(&self) -> Result<(f64, f64)> {
        let mut command = Command::new(&self.harness.programs.aquifer);
        command.args(["consume", self.topic, "--exit", "--brokers", &self.server.address.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let runtime = &self.harness.runtime;
        let before = runtime.now().monotonic;
        let status = command.status().await.context("run aquifer consume")?;
        let seconds = runtime.now().monotonic.since(before).as_secs_f64();
        ensure!(status.success(), "aquifer consume ended with {status}");
        let bytes = self.bytes(self.all());
        Ok((bytes / seconds, bytes))
    }

    /// Between the first and the last that kcat lets us know of: it writes a letter a record, many at a time.
    async fn kcat(&self) -> Result<(f64, f64)> {
        let mut command = Command::new("kcat");
        command.args(["-b", &self.server.address.to_string(), "-G", &self.group(), "-q", "-f", "."]);
        command.args(["-X", "auto.offset.reset=earliest", "-c", &self.records.to_string(), self.topic]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut kcat = command.spawn().context("start kcat")?;
        let mut output = kcat.stdout.take().context("kcat's output")?;
        let runtime = &self.harness.runtime;
        let mut letters = vec![0; 64 << 10];
        let (mut first, mut counted, mut last) = (None, 0u64, runtime.now().monotonic);
        loop {
            let read = output.read(&mut letters).await? as u64;
            if read == 0 {
                break;
            }
            last = runtime.now().monotonic;
            match first {
                None => first = Some((last, read)),
                Some(_) => counted += read,
            }
        }
        let status = kcat.wait().await?;
        ensure!(status.success(), "kcat ended with {status}");
        let (first, at_first) = first.context("kcat read nothing")?;
        ensure!(counted + at_first == self.all(), "kcat read {} records", counted + at_first);
        Ok((self.bytes(counted) / last.since(first).as_secs_f64(), self.bytes(self.all())))
    }

    async fn java(&self) -> Result<(f64, f64)> {
        let script: &Path = &self.harness.programs.kafka;
        let mut command = Command::new(script);
        command.args(["consume", &self.server.address.to_string(), self.topic, &self.group()]);
        command.args([self.records.to_string(), JAVA_PASSES.to_string()]);
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
        let output = command.output().await.context("run the Java consumer")?;
        ensure!(output.status.success(), "the Java consumer ended with {}", output.status);
        // A line for each pass: records after the first poll that brought any, and nanoseconds since then.
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().and_then(|line| line.split_once(' '));
        let (records, nanoseconds) = last.context("the Java consumer said nothing")?;
        let (records, nanoseconds): (u64, f64) = (records.parse()?, nanoseconds.parse()?);
        Ok((self.bytes(records) / (nanoseconds / 1e9), self.bytes(self.all()) * f64::from(JAVA_PASSES)))
    }

    /// One that nobody was in before.
    fn group(&self) -> String {
        format!("{}-{:016x}", self.topic, self.harness.runtime.random_u64())
    }
}
