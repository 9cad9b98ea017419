//! Added latency: the same requests through the gateway and without it, at a share of what the gateway takes at most.

use anyhow::{Context as _, Result};

use super::produce::gateway_produce;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::meter::Timing;
use crate::scenario::{AddedLatency, GatewayProduce, Produce};
use crate::server::Server;
use crate::work::gateway::bodies::Records;
use crate::work::produce;

pub async fn added_latency(harness: &Harness, server: &Server, work: &AddedLatency) -> Result<Measurement> {
    let timing = Timing { warm_up: harness.timing.warm_up, measured: harness.timing.measured / 2 };
    let short = Harness { timing, ..harness.clone() };
    let full =
        gateway_produce(&short, server, &GatewayProduce { rate: None, ..work.produce.clone() }).await?;
    let rate = full.metric("operations_per_second").context("the gateway's rate")? * work.share;
    let producers = work.produce.connections;
    let batch_bytes =
        Records::new(&harness.runtime, work.produce.records, work.produce.record_bytes)?.batch.len();
    let native = Produce {
        producers,
        partitions: work.produce.partitions,
        // Records of random bytes may take a few more than those of text.
        batch_bytes: batch_bytes + 64,
        record_bytes: work.produce.record_bytes,
        durability: work.produce.durability,
        rate: Some(rate / producers as f64),
        ..Produce::default()
    };
    let native = produce(harness, server, &native).await?;
    let paced = GatewayProduce { rate: Some(rate), ..work.produce.clone() };
    let mut measurement = gateway_produce(harness, server, &paced).await?;
    for percentile in ["p50", "p99"] {
        let name = format!("ack_{percentile}_us");
        let (through, without) = (measurement.metric(&name), native.metric(&name));
        let (through, without) = through.zip(without).context("latencies")?;
        measurement.set(&format!("native_{name}"), without);
        measurement.set(&format!("added_{percentile}_ms"), (through - without) / 1e3);
    }
    Ok(measurement)
}
