//! Commits: one member's offsets, a partition a request, over several connections.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, ensure};
use aquifer_client::{Connection, Reply};
use aquifer_runtime::Task;
use aquifer_wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use aquifer_wire::messages::{OffsetCommitRequest, OffsetCommitResponse};

use super::crowd::Crowd;
use super::member::HandMember;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::meter::Meter;
use crate::scenario::{Commits, Durability};
use crate::server::Server;
use crate::work::topic::{TestTopic, configs};

/// One connection and the commits it waits for.
struct Committer {
    connection: Connection,
    /// With one topic of one partition, which changes.
    request: OffsetCommitRequest,
    partitions: Vec<i32>,
    sent: i64,
    in_flight: usize,
    pending: VecDeque<(u64, Reply<OffsetCommitResponse>)>,
    meter: Meter,
    latencies: Latencies,
}

pub async fn commits(harness: &Harness, server: &Server, work: &Commits) -> Result<Measurement> {
    let client = server.client(&harness.runtime);
    let topic = TestTopic::create(&client, work.partitions, configs(server, Durability::Flushed)).await?;
    let member = HandMember::new(&harness.runtime, &topic.name, &topic);
    let mut crowd = Crowd::connect(harness, server, &topic.name, vec![member]).await?;
    crowd.settle(usize::try_from(work.partitions)?).await?;
    let reserve = harness.prepare_to_write().await?;
    let (meter, watch) = harness.start_measuring(Some(server))?;
    reserve.release_with(&harness.runtime, &meter);
    let mut tasks: Vec<Task<Result<Latencies>>> = Vec::new();
    for index in 0..work.committers {
        let connection = Crowd::connect(harness, server, &topic.name, Vec::new()).await?.connection;
        let committer = Committer {
            connection,
            request: request(&topic, &crowd.members[0]),
            partitions: (0..work.partitions).skip(index).step_by(work.committers).collect(),
            sent: 0,
            in_flight: work.in_flight.max(1),
            pending: VecDeque::new(),
            meter: meter.clone(),
            latencies: Latencies::default(),
        };
        tasks.push(harness.runtime.spawn("committer", committer.run()));
    }
    let mut measurement = watch.wait().await?;
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.add(&task.await.context("a committer failed")??);
    }
    measurement.forget_bytes();
    measurement.set_latencies("ack", &latencies);
    crowd.members[0].leave(&crowd.connection).await?;
    topic.delete().await?;
    Ok(measurement)
}

fn request(topic: &TestTopic, member: &HandMember) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default();
    let topics = OffsetCommitRequestTopic {
        name: topic.name.clone(),
        topic_id: topic.id.0,
        partitions: vec![partition],
    };
    OffsetCommitRequest {
        // The group has the topic's name.
        group_id: topic.name.clone(),
        generation_id_or_member_epoch: member.epoch(),
        member_id: member.id().clone(),
        topics: vec![topics],
        ..OffsetCommitRequest::default()
    }
}

impl Committer {
    async fn run(mut self) -> Result<Latencies> {
        while !self.meter.is_over() {
            while self.pending.len() < self.in_flight {
                self.send().await?;
            }
            self.finish_one().await?;
        }
        while !self.pending.is_empty() {
            self.finish_one().await?;
        }
        Ok(self.latencies)
    }

    async fn send(&mut self) -> Result<()> {
        let turn = usize::try_from(self.sent)?;
        let partition = &mut self.request.topics[0].partitions[0];
        partition.partition_index = self.partitions[turn % self.partitions.len()];
        partition.committed_offset = self.sent;
        self.sent += 1;
        let due = self.meter.now();
        self.pending.push_back((due, self.connection.begin(&self.request).await?));
        Ok(())
    }

    async fn finish_one(&mut self) -> Result<()> {
        let Some((due, mut reply)) = self.pending.pop_front() else { return Ok(()) };
        let response = reply.answer().await?;
        let now = self.meter.now();
        let mut parts = response.topics.iter().flat_map(|topic| &topic.partitions);
        let code = parts.next().context("a commit was not answered")?.error_code;
        ensure!(code.is_none(), "commit: {code}");
        if self.meter.count(now, 0) {
            self.latencies.record(now.saturating_sub(due));
        }
        Ok(())
    }
}
