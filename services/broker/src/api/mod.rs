//! One file per API: a request in, its answer out.

pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod data;
mod each_once;
mod groups;
mod operations;
mod security;
pub(crate) mod topics;

use std::future::Future;
use std::sync::Arc;

use aquifer_net::{Call, Outcome};
use aquifer_wire::{ApiKey, RequestBody, Response};

use crate::broker::Broker;
use crate::service::Caller;

/// How long a request of an API may be. A change must fit an entry of the metadata log, and what many short names ask
/// for takes many times their length to hold and to answer.
pub(crate) fn frame_bytes_max(key: ApiKey) -> usize {
    const FETCH_BYTES_MAX: usize = 16 << 20;
    const OTHER_BYTES_MAX: usize = 4 << 20;
    match key {
        ApiKey::Produce | ApiKey::AquiferAppend => usize::MAX,
        ApiKey::Fetch => FETCH_BYTES_MAX,
        _ => OTHER_BYTES_MAX,
    }
}

/// Hands a request to its API. What must happen in arrival order happens before this returns.
pub(crate) fn dispatch(broker: &Arc<Broker>, caller: Caller, body: RequestBody) -> Call {
    let shared = broker.clone();
    match body {
        RequestBody::Produce(request) => data::produce(broker, caller, request),
        RequestBody::AquiferAppend(request) => data::aquifer_append(broker, caller, request),
        RequestBody::Fetch(request) => Call::Later(Box::pin(data::fetch(shared, caller, request))),
        RequestBody::ListOffsets(request) => {
            let asking = (caller.version, caller.connection.id);
            later(caller, async move { data::list_offsets(&shared, asking, request).await })
        }
        RequestBody::OffsetForLeaderEpoch(request) => {
            now(&caller, &data::offset_for_leader_epoch(broker, request))
        }
        RequestBody::DeleteRecords(request) => {
            later(caller, async move { data::delete_records(&shared, request).await })
        }
        RequestBody::InitProducerId(request) => {
            later(caller, async move { data::init_producer_id(&shared, request).await })
        }
        RequestBody::DescribeProducers(request) => now(&caller, &data::describe_producers(broker, request)),
        RequestBody::ApiVersions(request) => now(&caller, &cluster::api_versions(broker, &caller, &request)),
        RequestBody::Metadata(request) => {
            let caller_again = caller.clone();
            later(caller, async move { topics::metadata(&shared, &caller_again, request).await })
        }
        other => coordinate(shared, caller, other),
    }
}

/// APIs of consumer groups. What they ask reaches the group's shard in arrival order.
fn coordinate(broker: Arc<Broker>, caller: Caller, body: RequestBody) -> Call {
    match body {
        RequestBody::OffsetCommit(request) => groups::offset_commit(&broker, caller, request),
        RequestBody::OffsetFetch(request) => groups::offset_fetch(&broker, caller, request),
        RequestBody::JoinGroup(request) => groups::join_group(&broker, caller, &request),
        RequestBody::SyncGroup(request) => groups::sync_group(&broker, caller, &request),
        RequestBody::Heartbeat(request) => groups::heartbeat(&broker, caller, &request),
        RequestBody::LeaveGroup(request) => groups::leave_group(&broker, caller, &request),
        RequestBody::ConsumerGroupHeartbeat(request) => {
            groups::consumer_group_heartbeat(&broker, caller, &request)
        }
        RequestBody::ConsumerGroupDescribe(request) => {
            groups::consumer_group_describe(&broker, caller, request)
        }
        RequestBody::DescribeGroups(request) => groups::describe_groups(&broker, caller, request),
        RequestBody::ListGroups(request) => groups::list_groups(&broker, caller, &request),
        RequestBody::DeleteGroups(request) => groups::delete_groups(&broker, caller, request),
        RequestBody::OffsetDelete(request) => groups::offset_delete(&broker, caller, &request),
        other => administer(broker, caller, other),
    }
}

/// APIs that change or describe the cluster.
fn administer(broker: Arc<Broker>, caller: Caller, body: RequestBody) -> Call {
    let version = caller.version;
    match body {
        RequestBody::CreateTopics(request) => {
            later(caller, async move { topics::create_topics(&broker, request).await })
        }
        RequestBody::DeleteTopics(request) => {
            later(caller, async move { topics::delete_topics(&broker, request).await })
        }
        RequestBody::CreatePartitions(request) => {
            later(caller, async move { topics::create_partitions(&broker, request).await })
        }
        RequestBody::DescribeTopicPartitions(request) => {
            now(&caller, &topics::describe_topic_partitions(&broker, request))
        }
        RequestBody::DescribeConfigs(request) => now(&caller, &configs::describe_configs(&broker, request)),
        RequestBody::AlterConfigs(request) => {
            later(caller, async move { configs::alter_configs(&broker, request).await })
        }
        RequestBody::IncrementalAlterConfigs(request) => {
            later(caller, async move { configs::incremental_alter_configs(&broker, request).await })
        }
        RequestBody::ListConfigResources(request) => {
            now(&caller, &configs::list_config_resources(&broker, version, &request))
        }
        RequestBody::DescribeCluster(request) => {
            now(&caller, &cluster::describe_cluster(&broker, &caller, &request))
        }
        RequestBody::DescribeQuorum(request) => {
            now(&caller, &cluster::describe_quorum(&broker, version, request))
        }
        RequestBody::ListPartitionReassignments(request) => {
            now(&caller, &cluster::list_partition_reassignments(&broker.image(), request))
        }
        RequestBody::DescribeLogDirs(request) => {
            later(caller, async move { cluster::describe_log_dirs(&broker, request).await })
        }
        RequestBody::FindCoordinator(request) => {
            if let Some(closed) = groups::too_many(&caller, request.coordinator_keys.len()) {
                return closed;
            }
            let caller_again = caller.clone();
            later(caller, async move { cluster::find_coordinator(&broker, &caller_again, request).await })
        }
        RequestBody::AquiferFence(request) => {
            later(caller, async move { data::aquifer_fence(&broker, request).await })
        }
        RequestBody::AquiferTier(request) => {
            later(caller, async move { cluster::aquifer_tier(&broker, request).await })
        }
        RequestBody::UpdateFeatures(request) => {
            later(caller, async move { cluster::update_features(&broker, version, request).await })
        }
        other => refuse(&caller, other),
    }
}

/// APIs of features that this cluster does not have, and whose clients must be told so.
fn refuse(caller: &Caller, body: RequestBody) -> Call {
    match body {
        RequestBody::DescribeAcls(_) => now(caller, &security::describe_acls()),
        RequestBody::CreateAcls(request) => now(caller, &security::create_acls(&request)),
        RequestBody::DeleteAcls(request) => now(caller, &security::delete_acls(&request)),
        RequestBody::DescribeClientQuotas(_) => now(caller, &security::describe_client_quotas()),
        RequestBody::AlterClientQuotas(request) => now(caller, &security::alter_client_quotas(request)),
        RequestBody::DescribeUserScramCredentials(request) => {
            now(caller, &security::describe_user_scram_credentials(request))
        }
        RequestBody::AlterUserScramCredentials(request) => {
            now(caller, &security::alter_user_scram_credentials(request))
        }
        other => {
            tracing::warn!(peer = %caller.connection.peer, api = ?other.key(), "API not served, connection closed");
            Call::Now(Outcome::Close)
        }
    }
}

fn now<R: Response>(caller: &Caller, response: &R) -> Call {
    Call::Now(caller.answer(response))
}

fn later<R: Response + Send>(caller: Caller, response: impl Future<Output = R> + Send + 'static) -> Call {
    Call::Later(Box::pin(async move { caller.answer(&response.await) }))
}
