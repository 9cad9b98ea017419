//! What `aquifer tier estimate` says, and what a server says that it did.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::metrics::metrics;
use crate::harness::Harness;
use crate::server::Server;

const SECONDS_OF_A_MONTH: f64 = 30.0 * 24.0 * 3600.0;

/// Uploads in a second where so many bytes come in a second, by `aquifer tier estimate`.
pub async fn uploads_a_second(harness: &Harness, bytes_per_second: f64, assumed: &[&str]) -> Result<f64> {
    let mut command = Command::new(&harness.programs.aquifer);
    command.args(["tier", "estimate", "-o", "json", "--ingest", &format!("{bytes_per_second:.0}B")]);
    command.args(assumed);
    let running = harness.runtime.spawn_blocking("estimate", move || command.output());
    let output = running.await.context("run aquifer tier estimate")??;
    let items: Vec<serde_json::Value> =
        serde_json::from_slice(&output.stdout).context("understand what aquifer tier estimate says")?;
    let uploads = items.iter().find(|item| item["what"] == "uploads a month");
    let uploads = uploads.and_then(|item| item["amount"].as_f64()).context("no estimate of uploads")?;
    Ok(uploads / SECONDS_OF_A_MONTH)
}

/// Objects that the server uploaded so far.
pub async fn uploaded(server: &Server) -> Result<f64> {
    metrics(server).await?.get("aquifer_tier_uploads_total").copied().context("no count of uploads")
}
