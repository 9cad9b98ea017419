//! DeleteRecords: the log's start moves up, and the answer waits until that is durable.

use std::sync::Arc;
use std::time::Duration;

use aquifer_types::Offset;
use aquifer_wire::ErrorCode;
use aquifer_wire::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use aquifer_wire::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::partition_ref::TopicRef;
use crate::broker::Broker;
use crate::refusal::fetch_error;
use crate::tier::tiered_start;

/// Stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

pub(crate) async fn delete_records(
    broker: &Arc<Broker>,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let image = broker.image();
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let deadline = broker.runtime.now().monotonic.plus(timeout);
    let mut topics = Vec::with_capacity(request.topics.len());
    for asked in request.topics {
        let topic = TopicRef::Name(&asked.name).find(&image);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in &asked.partitions {
            let upto = (partition.offset != HIGH_WATERMARK).then_some(Offset(partition.offset));
            let replica = topic
                .and_then(|topic| {
                    if broker.is_mount() {
                        Err(ErrorCode::POLICY_VIOLATION)
                    } else if topic.is_internal() {
                        Err(ErrorCode::INVALID_TOPIC_EXCEPTION)
                    } else {
                        Ok(topic)
                    }
                })
                .and_then(|topic| broker.replica_of(topic, partition.partition_index));
            // What the tier holds is given up there first.
            let start = replica.as_ref().ok().and_then(|replica| tiered_start(&image, replica, upto));
            let decided = match start {
                Some(start) => broker.trim(vec![start]).await,
                None => true,
            };
            let deleting = replica.and_then(|replica| {
                if !decided {
                    return Err(ErrorCode::KAFKA_STORAGE_ERROR);
                }
                replica.delete_records(upto, None).map_err(|refusal| fetch_error(&refusal))
            });
            let done = match deleting {
                Ok(log_start) => {
                    let left = deadline.since(broker.runtime.now().monotonic);
                    match broker.runtime.timeout(left, log_start).await {
                        Some(Ok(log_start)) => Ok(log_start),
                        Some(Err(_closed)) => Err(ErrorCode::KAFKA_STORAGE_ERROR),
                        None => Err(ErrorCode::REQUEST_TIMED_OUT),
                    }
                }
                Err(error) => Err(error),
            };
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: partition.partition_index,
                low_watermark: done.map_or(-1, |log_start| log_start.0),
                error_code: done.err().unwrap_or(ErrorCode::NONE),
            });
        }
        topics.push(DeleteRecordsTopicResult { name: asked.name, partitions });
    }
    DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() }
}
