//! Parked clients: what those cost that wait for records, and how soon they have one that comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aquifer_client::{Acks, Address};
use aquifer_runtime::Task;
use aquifer_types::PartitionIndex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

use crate::batch::single;
use crate::clock::nanoseconds;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::scenario::{Durability, Parked, Way};
use crate::server::Server;
use crate::work::gateway::front::Front;
use crate::work::topic::{TestTopic, configs};

/// How long a server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(2);
/// Connections that are made at a time: a listener's queue is no longer.
const CONNECTING: usize = 100;
/// All that wait on one partition have its record by then, or the run has failed.
const WAKE_LIMIT: Duration = Duration::from_secs(10);
/// As long as a gateway lets anybody wait.
const WAIT_MS: u64 = 60_000;
/// What a record is shown by, in both forms.
const RECORD_SIGN: &[u8] = b"\"offset\"";

/// One client, from its connection to its record.
struct Waiting {
    address: Address,
    request: String,
    way: Way,
    partition: usize,
    places: Arc<Semaphore>,
    is_parked: Arc<AtomicU64>,
    woken: mpsc::UnboundedSender<(usize, u64)>,
}

pub async fn parked(harness: &Harness, server: &Server, work: &Parked) -> Result<Measurement> {
    ensure!(server.directory().is_some(), "only a server started here can be watched");
    let partitions = work.clients / work.clients_per_partition.max(1);
    let wakes = work.wakes + 1;
    ensure!(partitions >= wakes, "{wakes} wakes need as many partitions with clients");
    let client = server.client(&harness.runtime);
    let configs = configs(server, Durability::PageCache);
    let topic = TestTopic::create(&client, i32::try_from(partitions)?, configs).await?;
    let front = Front::of(harness, server, false).await?;
    harness.runtime.sleep(REST).await;
    let before = server.usage()?;
    let (is_parked, places) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(CONNECTING)));
    let (sender, mut woken) = mpsc::unbounded_channel();
    let mut tasks: Vec<Task<Result<()>>> = Vec::new();
    for index in 0..work.clients {
        let partition = index % partitions;
        let waiting = Waiting {
            address: front.address.clone(),
            request: request(work.way, &topic.name, partition),
            way: work.way,
            partition,
            places: Arc::clone(&places),
            is_parked: Arc::clone(&is_parked),
            woken: sender.clone(),
        };
        tasks.push(harness.runtime.spawn("parked client", waiting.run(harness.runtime.clone())));
    }
    while is_parked.load(Ordering::Relaxed) < work.clients as u64 {
        harness.runtime.sleep(Duration::from_millis(10)).await;
        ensure!(!sender.is_closed() && woken.is_empty(), "a client was answered before anything came");
    }
    harness.runtime.sleep(REST).await;
    let after = server.usage()?;
    let (_, watch) = harness.start_measuring(Some(server))?;
    let mut measurement = watch.wait().await?;
    measurement.forget_bytes();
    for absent in ["operations_per_second", "longest_stall_ms"] {
        measurement.metrics.remove(absent);
    }
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    measurement.set("memory_per_consumer_kib", grown as f64 / 1024.0 / work.clients as f64);
    let record = single(&[b'w'; 100], harness.runtime.now().wall)?;
    let mut latencies = Latencies::default();
    for partition in 0..wakes {
        let expected = (0..work.clients).filter(|index| index % partitions == partition).count();
        let due = nanoseconds(&harness.runtime);
        let index = PartitionIndex(i32::try_from(partition)?);
        client.produce(&topic.name, index, Acks::All, &record).await.context("produce")?;
        for _ in 0..expected {
            let next = harness.runtime.timeout(WAKE_LIMIT, woken.recv()).await;
            let (of, at) = next.flatten().context("a client that waits was not told of its record")?;
            ensure!(of == partition, "a client of partition {of} was told of a record of {partition}");
            // The first is for the producer's connection, and for what no process has run before.
            if partition > 0 {
                latencies.record(at.saturating_sub(due));
            }
        }
    }
    measurement.set_latencies("wake", &latencies);
    for task in tasks {
        task.abort();
        if let Some(ended) = task.await {
            ended.context("a client failed")?;
        }
    }
    topic.delete().await?;
    Ok(measurement)
}

fn request(way: Way, topic: &str, partition: usize) -> String {
    let path = match way {
        Way::LongPoll => format!("records?from=latest&wait_ms={WAIT_MS}"),
        Way::Sse => "records:sse?from=latest".to_owned(),
    };
    format!("GET /v1/topics/{topic}/partitions/{partition}/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

impl Waiting {
    async fn run(self, runtime: aquifer_runtime::Runtime) -> Result<()> {
        let mut bytes = [0; 2048];
        let mut stream = {
            let _place = self.places.acquire().await?;
            let mut stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
            stream.write_all(self.request.as_bytes()).await?;
            if self.way == Way::Sse {
                // Its head, and where it begins.
                ensure!(stream.read(&mut bytes).await? > 0, "the gateway hung up");
            }
            stream
        };
        self.is_parked.fetch_add(1, Ordering::Relaxed);
        let mut held = 0;
        loop {
            if held == bytes.len() {
                bail!("an answer without a record: {}", String::from_utf8_lossy(&bytes));
            }
            let read = stream.read(&mut bytes[held..]).await?;
            ensure!(read > 0, "the gateway hung up: {}", String::from_utf8_lossy(&bytes[..held]));
            held += read;
            if bytes[..held].windows(RECORD_SIGN.len()).any(|window| window == RECORD_SIGN) {
                break;
            }
            if bytes[..held].ends_with(b": still here\n\n\r\n") {
                held = 0;
            }
        }
        let at = nanoseconds(&runtime);
        // The run has failed if nobody counts.
        let _ = self.woken.send((self.partition, at));
        // Stays connected: a client that leaves is work of another kind.
        std::future::pending().await
    }
}
