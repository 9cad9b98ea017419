//! The cluster itself: brokers, quorum, log directories, features.

use aquifer_types::NodeId;
use aquifer_wire::messages::describe_quorum_request::{PartitionData, TopicData};
use aquifer_wire::messages::describe_quorum_response::ReplicaState;
use aquifer_wire::messages::{
    ApiVersionsRequest, DescribeClusterRequest, DescribeLogDirsRequest, DescribeQuorumRequest,
};
use aquifer_wire::{ApiKey, Text};

use crate::address::Address;
use crate::client::Client;
use crate::error::ClientError;

const METADATA_TOPIC: &str = "__cluster_metadata";

/// The brokers and who is in charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    pub id: String,
    pub controller: Option<NodeId>,
    pub brokers: Vec<Broker>,
}

/// A broker as clients reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub node: NodeId,
    pub address: Address,
    pub rack: Option<String>,
    pub is_fenced: bool,
}

/// Who keeps the cluster's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    pub leader: NodeId,
    pub epoch: i32,
    pub high_watermark: i64,
    pub voters: Vec<QuorumReplica>,
    pub observers: Vec<QuorumReplica>,
}

/// A copy of the metadata log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumReplica {
    pub node: NodeId,
    pub log_end: i64,
}

/// A directory in which a broker keeps partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    pub node: NodeId,
    pub path: String,
    /// Why it cannot be used, if it cannot.
    pub error: Option<String>,
    /// Of its volume, where the broker knows.
    pub total_bytes: Option<i64>,
    pub usable_bytes: Option<i64>,
    pub replicas: Vec<LogDirReplica>,
}

/// A partition in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirReplica {
    pub topic: String,
    pub partition: i32,
    pub bytes: i64,
    pub lag: i64,
}

/// A feature of the cluster and the levels that it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    pub name: String,
    pub min: i16,
    pub max: i16,
    /// The level in force.
    pub finalized: Option<i16>,
}

/// A request that a broker answers, in which versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    pub key: i16,
    /// Unknown where there is no codec for it here.
    pub name: Option<&'static str>,
    pub min: i16,
    pub max: i16,
}

impl Client {
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, ClientError> {
        let mut retry = self.retry();
        loop {
            match self.describe_cluster_once().await {
                Ok(described) => return Ok(described),
                Err(error) => retry.after(error, None).await?,
            }
        }
    }

    async fn describe_cluster_once(&self) -> Result<ClusterDescription, ClientError> {
        let response = self.call_any(&DescribeClusterRequest::default()).await?;
        ClientError::check(response.error_code, response.error_message.as_ref())?;
        let brokers = response.brokers.iter().filter_map(|broker| {
            let port = u16::try_from(broker.port).ok()?;
            Some(Broker {
                node: NodeId(broker.broker_id),
                address: Address { host: broker.host.to_string(), port },
                rack: broker.rack.as_ref().map(Text::to_string),
                is_fenced: broker.is_fenced,
            })
        });
        Ok(ClusterDescription {
            id: response.cluster_id.to_string(),
            controller: Some(NodeId(response.controller_id)).filter(|node| node.0 >= 0),
            brokers: brokers.collect(),
        })
    }

    pub async fn describe_quorum(&self) -> Result<Quorum, ClientError> {
        let partitions = vec![PartitionData { partition_index: 0 }];
        let topic = TopicData { topic_name: Text::from_static(METADATA_TOPIC), partitions };
        let request = DescribeQuorumRequest { topics: vec![topic] };
        let mut retry = self.retry();
        loop {
            match self.describe_quorum_once(&request).await {
                Ok(described) => return Ok(described),
                Err(error) => retry.after(error, None).await?,
            }
        }
    }

    async fn describe_quorum_once(&self, request: &DescribeQuorumRequest) -> Result<Quorum, ClientError> {
        let response = self.call_any(request).await?;
        ClientError::check(response.error_code, response.error_message.as_ref())?;
        let part = response.topics.first().and_then(|topic| topic.partitions.first());
        let part = part.ok_or(ClientError::Incomplete("the quorum"))?;
        ClientError::check(part.error_code, part.error_message.as_ref())?;
        let replica = |state: &ReplicaState| QuorumReplica {
            node: NodeId(state.replica_id),
            log_end: state.log_end_offset,
        };
        Ok(Quorum {
            leader: NodeId(part.leader_id),
            epoch: part.leader_epoch,
            high_watermark: part.high_watermark,
            voters: part.current_voters.iter().map(replica).collect(),
            observers: part.observers.iter().map(replica).collect(),
        })
    }

    /// The directories of one broker, with all their partitions.
    pub async fn log_dirs(&self, node: NodeId) -> Result<Vec<LogDir>, ClientError> {
        let response = self.call(node, &DescribeLogDirsRequest { topics: None }).await?;
        ClientError::check(response.error_code, None)?;
        let dirs = response.results.iter().map(|dir| {
            let replicas = dir.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|part| LogDirReplica {
                    topic: topic.name.to_string(),
                    partition: part.partition_index,
                    bytes: part.partition_size,
                    lag: part.offset_lag,
                })
            });
            LogDir {
                node,
                path: dir.log_dir.to_string(),
                error: (!dir.error_code.is_none()).then(|| dir.error_code.to_string()),
                total_bytes: Some(dir.total_bytes).filter(|bytes| *bytes >= 0),
                usable_bytes: Some(dir.usable_bytes).filter(|bytes| *bytes >= 0),
                replicas: replicas.collect(),
            }
        });
        Ok(dirs.collect())
    }

    /// The features that a broker knows, and the levels in force.
    pub async fn features(&self) -> Result<Vec<Feature>, ClientError> {
        let request = ApiVersionsRequest {
            client_software_name: Text::from_static("aquifer"),
            client_software_version: Text::from_static(env!("CARGO_PKG_VERSION")),
        };
        let response = self.call_any(&request).await?;
        ClientError::check(response.error_code, None)?;
        let finalized = |name: &Text| {
            let found = response.finalized_features.iter().find(|feature| feature.name == *name);
            found.map(|feature| feature.max_version_level)
        };
        let features = response.supported_features.iter().map(|feature| Feature {
            name: feature.name.to_string(),
            min: feature.min_version,
            max: feature.max_version,
            finalized: finalized(&feature.name),
        });
        Ok(features.collect())
    }

    /// The requests that a broker answers.
    pub async fn apis(&self, node: Option<NodeId>) -> Result<Vec<Api>, ClientError> {
        let connection = match node {
            Some(node) => self.connection(node).await?,
            None => self.any_connection().await?,
        };
        let named = |key: i16| ApiKey::from_number(key).map(ApiKey::name);
        let ranges = connection.versions().ranges();
        Ok(ranges.map(|(key, (min, max))| Api { key, name: named(key), min, max }).collect())
    }
}
