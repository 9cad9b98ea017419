//! Trim: deletes what was produced long ago while a run goes on, so that a long one does not fill the disk.

use std::time::Duration;

use anyhow::Result;
use aquifer_client::{Client, OffsetAt};
use aquifer_runtime::Task;
use aquifer_types::PartitionIndex;
use aquifer_wire::messages::DeleteRecordsRequest;
use aquifer_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};

use crate::harness::Harness;
use crate::meter::Meter;
use crate::server::Server;
use crate::work::topic::TestTopic;

const EVERY: Duration = Duration::from_secs(1);

/// Keeps about so many records of each partition until the window is over.
pub fn trim(
    harness: &Harness,
    server: &Server,
    topic: &TestTopic,
    partitions: i32,
    kept: i64,
    meter: &Meter,
) -> Task<Result<()>> {
    let (client, name, meter) = (server.client(&harness.runtime), topic.name.clone(), meter.clone());
    harness.runtime.spawn("trim", async move {
        while !meter.is_over() {
            client.runtime().sleep(EVERY).await;
            for partition in (0..partitions).map(PartitionIndex) {
                trim_one(&client, &name, partition, kept).await?;
            }
        }
        Ok(())
    })
}

async fn trim_one(
    client: &Client,
    topic: &aquifer_wire::Text,
    partition: PartitionIndex,
    kept: i64,
) -> Result<()> {
    let Some(end) = client.offset(topic, partition, OffsetAt::End).await? else { return Ok(()) };
    if end.0 <= kept {
        return Ok(());
    }
    let (_, leader) = client.leader(topic, partition).await?;
    let cut = DeleteRecordsPartition { partition_index: partition.0, offset: end.0 - kept };
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic { name: topic.clone(), partitions: vec![cut] }],
        timeout_ms: 10_000,
    };
    client.call(leader.node, &request).await?;
    Ok(())
}
