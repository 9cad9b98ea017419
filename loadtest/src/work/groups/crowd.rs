//! `Crowd`: members that share a connection, of one group or of many.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aquifer_client::Connection;
use aquifer_runtime::Runtime;

use super::member::HandMember;
use crate::harness::Harness;
use crate::measurement::Latencies;
use crate::meter::Meter;
use crate::server::Server;

/// Between two rounds in which members follow their targets.
const SETTLE_INTERVAL: Duration = Duration::from_millis(50);
const SETTLE_LIMIT: Duration = Duration::from_secs(180);

pub(super) struct Crowd {
    pub(super) connection: Connection,
    pub(super) members: Vec<HandMember>,
    runtime: Runtime,
}

impl Crowd {
    /// Members on a connection of their own to the coordinator of `group`.
    pub(super) async fn connect(
        harness: &Harness,
        server: &Server,
        group: &str,
        members: Vec<HandMember>,
    ) -> Result<Crowd> {
        let client = server.client(&harness.runtime);
        let node = client.coordinator(group).await.context("find the coordinator")?;
        let connection = client.connection(node).await?;
        Ok(Crowd { connection, members, runtime: harness.runtime.clone() })
    }

    /// Lets them join, and follow until each owns `share` partitions and has said so.
    pub(super) async fn settle(&mut self, share: usize) -> Result<()> {
        let ends = self.runtime.now().monotonic.plus(SETTLE_LIMIT);
        loop {
            let mut settled = true;
            for member in &mut self.members {
                if member.owned() != share || member.has_news() {
                    settled = false;
                    member.beat(&self.runtime, &self.connection).await?;
                }
            }
            if settled {
                return Ok(());
            }
            ensure!(self.runtime.now().monotonic < ends, "members were not given their share");
            self.runtime.sleep(SETTLE_INTERVAL).await;
        }
    }

    /// Lets each of them beat at its interval, evenly over it, until the meter's window is over.
    pub(super) async fn beat_until_over(mut self, meter: Meter) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        let start = meter.now();
        let interval = self.interval()?.as_nanos() as f64;
        let step = interval / self.members.len() as f64;
        for turn in 0u64.. {
            let due = start + (turn as f64 * step) as u64;
            if !meter.is_open_at(due) && due > start && meter.is_over() {
                break;
            }
            let wait = Duration::from_nanos(due.saturating_sub(meter.now()));
            if wait > meter.until_over() {
                break;
            }
            self.runtime.sleep(wait).await;
            let index = usize::try_from(turn)? % self.members.len();
            let sent = meter.now();
            self.members[index].beat(&self.runtime, &self.connection).await?;
            let now = meter.now();
            if meter.count(now, 0) {
                latencies.record(now - sent);
            }
        }
        Ok(latencies)
    }

    /// What the coordinator wants; the same of all.
    pub(super) fn interval(&self) -> Result<Duration> {
        let interval = self.members.first().context("a crowd without members")?.interval();
        ensure!(!interval.is_zero(), "the coordinator asks for no heartbeats");
        Ok(interval)
    }
}
