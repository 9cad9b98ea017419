//! Memory: what a server that has just started holds after producing and fetching for a while.

use anyhow::Result;

use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::Memory;
use crate::server::Server;

pub async fn memory(harness: &Harness, server: &Server, work: &Memory) -> Result<Measurement> {
    let before = server.usage()?;
    crate::work::produce(harness, server, &work.produce).await?;
    crate::work::fetch(harness, server, &work.fetch).await?;
    let after = server.usage()?;
    let mut measurement = Measurement::default();
    measurement.set("server_memory_started_mb", before.resident_bytes as f64 / 1e6);
    measurement.set("server_memory_mb", after.resident_bytes as f64 / 1e6);
    measurement.set("server_memory_max_mb", after.resident_bytes_max as f64 / 1e6);
    Ok(measurement)
}
