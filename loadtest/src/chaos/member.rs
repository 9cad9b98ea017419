//! `Members`: processes of `aquifer consume` in one group, and what they write.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use aquifer_client::Address;
use aquifer_runtime::{Runtime, Task};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout, Command};

use super::judge::Reading;
use crate::system::interrupt;

/// The exit code of a command that was interrupted.
const INTERRUPTED: i32 = 130;

/// How members are started.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) runtime: Runtime,
    pub(super) program: PathBuf,
    pub(super) address: Address,
    pub(super) topic: String,
    pub(super) group: String,
    /// Where each leaves what it complains about.
    pub(super) directory: PathBuf,
}

/// A member that lives.
pub(super) struct Member {
    pub(super) number: usize,
    child: Child,
    reading: Task<Result<()>>,
    complaints: PathBuf,
}

/// What all members have written so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings(Arc<Mutex<Vec<Reading>>>);

impl Readings {
    pub(super) fn take(&self) -> Vec<Reading> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, more: impl IntoIterator<Item = Reading>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }
}

impl Member {
    pub(super) fn start(recipe: &Recipe, number: usize, readings: &Readings) -> Result<Member> {
        let complaints = recipe.directory.join(format!("member-{number}.txt"));
        let mut command = Command::new(&recipe.program);
        command.args(["consume", &recipe.topic, "--group", &recipe.group, "--from", "earliest"]);
        command.args(["--brokers", &recipe.address.to_string(), "--timeout", "60s", "-f", "%p %o\\n"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        command.stderr(std::fs::File::create(&complaints)?);
        let mut child = command.spawn().context("start a member")?;
        let output = child.stdout.take().context("a member's output")?;
        let reading = read(recipe.runtime.clone(), output, number, readings.clone());
        let reading = recipe.runtime.spawn("member's output", reading);
        Ok(Member { number, child, reading, complaints })
    }

    /// SIGKILL. Back when everything that it wrote has been read.
    pub(super) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill a member")?;
        self.reading.await.context("reading a member's output failed")?
    }

    /// Lets it leave the group. Back when everything that it wrote has been read.
    pub(super) async fn leave(mut self) -> Result<()> {
        interrupt(self.child.id().context("a member has ended by itself")?)?;
        let status = self.child.wait().await?;
        let said = std::fs::read_to_string(&self.complaints).unwrap_or_default();
        ensure!(status.code() == Some(INTERRUPTED), "member {} ended with {status}: {said}", self.number);
        self.reading.await.context("reading a member's output failed")?
    }

    /// What it said when it ended, if it has; members do not end by themselves.
    pub(super) fn ended(&mut self) -> Result<Option<String>> {
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        let said = std::fs::read_to_string(&self.complaints).unwrap_or_default();
        Ok(Some(format!("member {} ended by itself with {status}: {said}", self.number)))
    }
}

/// Milliseconds of this process's clock.
pub(super) fn milliseconds(runtime: &Runtime) -> u64 {
    u64::try_from(runtime.now().monotonic.0.as_millis()).unwrap_or(u64::MAX)
}

async fn read(runtime: Runtime, mut output: ChildStdout, member: usize, readings: Readings) -> Result<()> {
    let mut bytes = Vec::with_capacity(64 << 10);
    while output.read_buf(&mut bytes).await? > 0 {
        let at = milliseconds(&runtime);
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let mut ranges: BTreeMap<i32, Vec<std::ops::Range<i64>>> = BTreeMap::new();
        // What is cut off at the end of a killed member's output was not written.
        for line in std::str::from_utf8(&bytes[..whole])?.lines() {
            let (partition, offset) = line.split_once(' ').context("a line of two numbers")?;
            let (partition, offset): (i32, i64) = (partition.parse()?, offset.parse()?);
            let ranges = ranges.entry(partition).or_default();
            match ranges.last_mut() {
                Some(last) if last.end == offset => last.end += 1,
                _ => ranges.push(offset..offset + 1),
            }
        }
        let each = ranges.into_iter().flat_map(|(partition, ranges)| {
            ranges.into_iter().map(move |offsets| Reading { member, at, partition, offsets })
        });
        readings.add(each);
        bytes.drain(..whole);
    }
    Ok(())
}
