//! Departure: one member of many leaves; how soon the others are to have what it had, and do have it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::crowd::Crowd;
use super::member::HandMember;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::meter::{Meter, Timing};
use crate::scenario::{Departure, Durability};
use crate::server::Server;
use crate::work::topic::{TestTopic, configs};

/// Between two questions whether there is a new target.
const ASK_INTERVAL: Duration = Duration::from_micros(500);
const LIMIT: Duration = Duration::from_secs(120);

pub async fn departure(harness: &Harness, server: &Server, work: &Departure) -> Result<Measurement> {
    ensure!(work.members > 2, "somebody must stay");
    let client = server.client(&harness.runtime);
    let topic = TestTopic::create(&client, work.partitions, configs(server, Durability::Flushed)).await?;
    let members = (0..work.members).map(|_| HandMember::new(&harness.runtime, &topic.name, &topic));
    let mut crowd = Crowd::connect(harness, server, &topic.name, members.collect()).await?;
    let partitions = usize::try_from(work.partitions)?;
    ensure!(partitions.is_multiple_of(work.members), "every member must have the same share");
    crowd.settle(partitions / work.members).await?;
    let measurement = leave(harness, &mut crowd, partitions).await?;
    topic.delete().await?;
    Ok(measurement)
}

async fn leave(harness: &Harness, crowd: &mut Crowd, partitions: usize) -> Result<Measurement> {
    let runtime = &harness.runtime;
    let interval = crowd.interval()?;
    let meter = Meter::start(runtime, Timing { warm_up: Duration::ZERO, measured: LIMIT });
    // A calm round: whatever holds back a new target after the last one has passed.
    follow(harness, crowd, &meter, interval, |due, _| due > nanoseconds(interval)).await?;

    let leaver = crowd.members.pop().context("a member to leave")?;
    let epoch = crowd.members.iter().map(HandMember::epoch).max().unwrap_or(0);
    let start = meter.now();
    leaver.leave(&crowd.connection).await?;
    let left = meter.now();
    // The one that is asked is due next, so that nobody beats more often than the others in what follows.
    while crowd.members[0].epoch() <= epoch {
        crowd.members[0].beat(runtime, &crowd.connection).await?;
        if crowd.members[0].epoch() <= epoch {
            runtime.sleep(ASK_INTERVAL).await;
        }
    }
    let targeted = meter.now();
    let converged = |_: u64, members: &[HandMember]| {
        members.iter().all(|member| member.epoch() > epoch && !member.has_news())
            && members.iter().map(HandMember::owned).sum::<usize>() == partitions
    };
    follow(harness, crowd, &meter, interval, converged).await?;
    let converged = meter.now();

    let mut measurement = Measurement::default();
    let milliseconds = |from: u64, to: u64| (to - from) as f64 / 1e6;
    measurement.set("left_ms", milliseconds(start, left));
    measurement.set("new_target_ms", milliseconds(start, targeted));
    measurement.set("converged_ms", milliseconds(start, converged));
    Ok(measurement)
}

fn nanoseconds(interval: Duration) -> u64 {
    u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)
}

/// Lets everyone beat at its interval, evenly over it and at once where there is news, until `is_over` says so of the time
/// that has passed and of everyone.
async fn follow(
    harness: &Harness,
    crowd: &mut Crowd,
    meter: &Meter,
    interval: Duration,
    is_over: impl Fn(u64, &[HandMember]) -> bool,
) -> Result<()> {
    let start = meter.now();
    let step = nanoseconds(interval) / crowd.members.len() as u64;
    let mut due: BTreeSet<(u64, usize)> = BTreeSet::new();
    for index in 0..crowd.members.len() {
        due.insert((start + step * index as u64, index));
    }
    while let Some((at, index)) = due.pop_first() {
        let wait = Duration::from_nanos(at.saturating_sub(meter.now()));
        harness.runtime.sleep(wait).await;
        let member = &mut crowd.members[index];
        member.beat(&harness.runtime, &crowd.connection).await?;
        let next = if member.has_news() { meter.now() } else { at + nanoseconds(interval) };
        due.insert((next, index));
        if is_over(meter.now() - start, &crowd.members) {
            return Ok(());
        }
        ensure!(!meter.is_over(), "the group did not converge");
    }
    Ok(())
}
