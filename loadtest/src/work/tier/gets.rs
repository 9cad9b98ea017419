//! Gets: objects read in ranges by the very client that the server has, without a server; dropped, or written on.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_objects::Store;
use aquifer_runtime::{Runtime, Task};
use bytes::Bytes;
use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::bucket::VARIABLES;
use crate::system::end_with_us;

/// What the server reads at a time.
const RANGE_BYTES: u64 = 4 << 20;
/// As much as our own client reads at a time.
const DISCARD_BYTES: usize = 64 << 10;

/// Read every object under a URL in ranges, and say how many megabytes came in a second: what the store gives without a server
#[derive(Clone, Debug, Args)]
pub struct GetsArguments {
    /// As tier.url has it; credentials come from the environment
    #[arg(long)]
    pub url: String,
    /// Under way at a time
    #[arg(long, default_value_t = 32)]
    pub requests: usize,
    /// Write everything on to that port of this machine, over as many connections; dropped if absent
    #[arg(long)]
    pub to: Option<u16>,
    /// Begin again at the end, at that pace, until killed
    #[arg(long)]
    pub mb_per_second: Option<f64>,
}

/// A process that reads.
pub struct Gets(Child);

/// Who drops whatever is written to it, as consumers in this process do.
pub struct Sink {
    pub port: u16,
    accepting: Task<Result<()>>,
}

/// What is read by whom.
struct Reading {
    store: Store,
    ranges: Vec<(String, std::ops::Range<u64>)>,
    next: AtomicUsize,
    is_endless: bool,
}

/// Megabytes per second of one turn.
pub async fn gets(runtime: &Runtime, arguments: &GetsArguments) -> Result<f64> {
    let store = Store::open_existing(&arguments.url, runtime).await?;
    let mut ranges = Vec::new();
    for root in store.roots().await? {
        for object in store.list(&root).await?.into_iter() {
            let key = format!("{root}/{}", object.key);
            let starts = (0..object.bytes).step_by(usize::try_from(RANGE_BYTES)?);
            let spans = starts.map(|start| start..(start + RANGE_BYTES).min(object.bytes));
            // What is left of an object whose ranges are full is its footer.
            let spans = spans.filter(|span| span.end - span.start >= RANGE_BYTES / 16);
            ranges.extend(spans.map(|span| (key.clone(), span)));
        }
    }
    anyhow::ensure!(!ranges.is_empty(), "there is no object under {}", arguments.url);
    let reading = Arc::new(Reading {
        store,
        ranges,
        next: AtomicUsize::new(0),
        is_endless: arguments.mb_per_second.is_some(),
    });
    let began = runtime.now().monotonic;
    let mut tasks: Vec<Task<Result<u64>>> = Vec::new();
    for _ in 0..arguments.requests.max(1) {
        let socket = match arguments.to {
            Some(port) => Some(TcpStream::connect(("127.0.0.1", port)).await?),
            None => None,
        };
        // Each has its share of the pace.
        let pause = arguments.mb_per_second.map(|rate| {
            Duration::from_secs_f64(RANGE_BYTES as f64 * arguments.requests as f64 / (rate * 1e6))
        });
        tasks.push(runtime.spawn("gets", reading.clone().run(runtime.clone(), socket, pause)));
    }
    let mut bytes = 0;
    for task in tasks {
        bytes += task.await.context("a reader of the store failed")??;
    }
    Ok(bytes as f64 / 1e6 / runtime.now().monotonic.since(began).as_secs_f64())
}

impl Reading {
    async fn run(
        self: Arc<Self>,
        runtime: Runtime,
        mut socket: Option<TcpStream>,
        pause: Option<Duration>,
    ) -> Result<u64> {
        let mut read = 0;
        let mut due = runtime.now().monotonic;
        loop {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            if next >= self.ranges.len() && !self.is_endless {
                return Ok(read);
            }
            let (key, range) = &self.ranges[next % self.ranges.len()];
            let bytes: Bytes = self.store.read(key, range.clone()).await?;
            read += bytes.len() as u64;
            if let Some(socket) = &mut socket {
                socket.write_all(&bytes).await?;
            }
            if let Some(pause) = pause {
                due = due.plus(pause);
                runtime.sleep(due.since(runtime.now().monotonic)).await;
            }
        }
    }
}

impl Gets {
    fn command(arguments: &GetsArguments) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["gets", "--url", &arguments.url, "--requests", &arguments.requests.to_string()]);
        command.args(arguments.to.iter().flat_map(|port| ["--to".to_owned(), port.to_string()]));
        let rate = arguments.mb_per_second.iter();
        command.args(rate.flat_map(|rate| ["--mb-per-second".to_owned(), rate.to_string()]));
        command.envs(VARIABLES).stdin(Stdio::null()).stderr(Stdio::inherit());
        end_with_us(&mut command);
        Ok(command)
    }

    /// One turn in a process of its own, which has the environment that the store wants; megabytes per second.
    pub async fn once(runtime: &Runtime, arguments: &GetsArguments) -> Result<f64> {
        let mut command = Gets::command(arguments)?;
        let running = runtime.spawn_blocking("gets", move || command.output());
        let output = running.await.context("run gets")?.context("run gets")?;
        anyhow::ensure!(output.status.success(), "gets failed with {}", output.status);
        String::from_utf8_lossy(&output.stdout).trim().parse().context("understand what gets printed")
    }

    /// Turns without end, until this is dropped.
    pub fn start(arguments: &GetsArguments) -> Result<Gets> {
        Ok(Gets(Gets::command(arguments)?.stdout(Stdio::null()).spawn().context("run gets")?))
    }

    /// Fails if it ended by itself.
    pub fn stop(mut self) -> Result<()> {
        match self.0.try_wait()? {
            Some(status) => anyhow::bail!("gets ended with {status}"),
            None => Ok(()),
        }
    }
}

impl Drop for Gets {
    fn drop(&mut self) {
        // It is over, and there is nobody to tell.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Sink {
    pub async fn start(runtime: &Runtime) -> Result<Sink> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let handed = runtime.clone();
        let accepting = runtime.spawn("sink", async move {
            loop {
                let (socket, _) = listener.accept().await?;
                handed.spawn("sink connection", discard(socket));
            }
        });
        Ok(Sink { port, accepting })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn discard(mut socket: TcpStream) -> Result<()> {
    let mut buffer = vec![0; DISCARD_BYTES];
    while socket.read(&mut buffer).await? > 0 {}
    Ok(())
}
