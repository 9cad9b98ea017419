//! Idle consumers: what a server spends on those that wait for records, each on a connection of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aquifer_client::{Connection, ConnectionSettings, FetchSession, FetchSettings, TcpConnector, Wanted};
use aquifer_runtime::Task;
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::Text;

use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::{Durability, IdleConsumers};
use crate::server::Server;
use crate::work::topic::{TestTopic, configs};

/// How long a server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(5);

pub async fn idle_consumers(harness: &Harness, server: &Server, work: &IdleConsumers) -> Result<Measurement> {
    ensure!(server.directory().is_some(), "only a server started here can be watched");
    let client = server.client(&harness.runtime);
    let partitions = i32::try_from(work.consumers)?;
    let topic = TestTopic::create(&client, partitions, configs(server, Durability::Flushed)).await?;
    harness.runtime.sleep(REST).await;
    let before = server.usage()?;
    let answered = Arc::new(AtomicU64::new(0));
    let mut consumers: Vec<Task<Result<()>>> = Vec::new();
    for partition in 0..partitions {
        let settings = ConnectionSettings {
            client_id: Text::from_static("idle"),
            request_timeout: Duration::from_secs(60),
            ..ConnectionSettings::default()
        };
        let connection = Connection::open(&harness.runtime, &TcpConnector, &server.address, &settings);
        let connection = connection.await.with_context(|| format!("connect consumer {partition}"))?;
        let wait_max = Duration::from_millis(work.wait_ms);
        let mut session = FetchSession::new(FetchSettings { wait_max, ..FetchSettings::default() });
        let wanted = Wanted { offset: Offset::ZERO, epoch: None };
        session.want(&topic.name, topic.id, PartitionIndex(partition), wanted);
        let waiting = wait(connection, session, Arc::clone(&answered));
        consumers.push(harness.runtime.spawn("idle consumer", waiting));
    }
    harness.runtime.sleep(REST).await;
    let (_, watch) = harness.start_measuring(Some(server))?;
    let (began, asked) = (harness.runtime.now().monotonic, answered.load(Ordering::Relaxed));
    let mut measurement = watch.wait().await?;
    let seconds = harness.runtime.now().monotonic.since(began).as_secs_f64();
    let asked = answered.load(Ordering::Relaxed) - asked;
    let after = server.usage()?;
    for consumer in consumers {
        consumer.abort();
        if let Some(ended) = consumer.await {
            ended.context("a consumer ended by itself")?;
        }
    }
    measurement.forget_bytes();
    measurement.set("operations_per_second", asked as f64 / seconds);
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    measurement.set("memory_per_consumer_kib", grown as f64 / 1024.0 / work.consumers as f64);
    topic.delete().await?;
    Ok(measurement)
}

/// Asks again and again for what does not come.
async fn wait(connection: Connection, mut session: FetchSession, answered: Arc<AtomicU64>) -> Result<()> {
    loop {
        let response = connection.call(&session.request()).await?;
        for fetched in session.take(&response)? {
            if !fetched.result?.records.is_empty() {
                bail!("something came where nothing was written");
            }
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}
