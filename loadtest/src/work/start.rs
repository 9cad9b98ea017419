//! Start: how long a server takes from its process to its first answer, empty or with data.

use std::path::Path;

use anyhow::Result;

use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::{Durability, Start};
use crate::server::Kind;
use crate::work::idle::fill;
use crate::work::topic::{TestTopic, configs};

/// The smallest segment that Kafka allows.
const SEGMENT_BYTES: usize = 1 << 20;

/// Two of these do not fit one segment, so each gets its own.
const BATCH_BYTES: usize = SEGMENT_BYTES / 2 + 4096;

pub async fn start(harness: &Harness, kind: Kind, directory: &Path, work: &Start) -> Result<Measurement> {
    let mut server = harness.programs.start(&harness.runtime, kind, directory).await?;
    if work.partitions > 0 {
        let client = server.client(&harness.runtime);
        let mut configs = configs(&server, Durability::PageCache);
        configs.insert("segment.bytes".to_owned(), SEGMENT_BYTES.to_string());
        let topic = TestTopic::create(&client, work.partitions, configs).await?;
        fill(harness, &server, &topic, work.partitions, work.segments, BATCH_BYTES).await?;
        server.stop(&harness.runtime).await?;
        let before = harness.runtime.now().monotonic;
        server = harness.programs.start(&harness.runtime, kind, directory).await?;
        let mut measurement = started(&server);
        // The first answer may come before every partition serves.
        let client = server.client(&harness.runtime);
        let partitions = usize::try_from(work.partitions)?;
        while client.topic(&topic.name).await.map_or(0, |found| found.leaders.len()) < partitions {
            client.forget(&topic.name);
            harness.runtime.sleep(std::time::Duration::from_millis(1)).await;
        }
        let led = harness.runtime.now().monotonic.since(before);
        measurement.set("all_partitions_led_ms", led.as_secs_f64() * 1e3);
        server.stop(&harness.runtime).await?;
        return Ok(measurement);
    }
    let measurement = started(&server);
    server.stop(&harness.runtime).await?;
    Ok(measurement)
}

fn started(server: &crate::server::Server) -> Measurement {
    let mut measurement = Measurement::default();
    measurement.set("start_ms", server.started_in.as_secs_f64() * 1e3);
    measurement
}
