//! ApiVersions: the APIs this broker serves, their versions, and the finalized features.

use aquifer_metadata::FEATURES;
use aquifer_wire::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use aquifer_wire::messages::{ApiVersionsRequest, ApiVersionsResponse};
use aquifer_wire::{ApiKey, ErrorCode, Text};

use crate::broker::Broker;
use crate::service::Caller;

/// What is served; everything else is not advertised.
const SERVED: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::ListPartitionReassignments,
    ApiKey::OffsetDelete,
    ApiKey::DescribeClientQuotas,
    ApiKey::AlterClientQuotas,
    ApiKey::DescribeUserScramCredentials,
    ApiKey::AlterUserScramCredentials,
    ApiKey::DescribeQuorum,
    ApiKey::UpdateFeatures,
    ApiKey::DescribeCluster,
    ApiKey::DescribeProducers,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupDescribe,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
    ApiKey::AquiferAppend,
    ApiKey::AquiferFence,
    ApiKey::AquiferTier,
];

/// The versions of everything served.
pub(crate) fn advertised() -> Vec<ApiVersion> {
    let version = |key: &ApiKey| {
        let supported = key.supported();
        // Old versions of librdkafka do not compress for brokers whose Produce does not start at 0; none of them then
        // speaks those versions.
        let min_version = if *key == ApiKey::Produce { 0 } else { supported.min };
        ApiVersion { api_key: key.number(), min_version, max_version: supported.max }
    };
    SERVED.iter().map(version).collect()
}

pub(crate) fn api_versions(
    broker: &Broker,
    caller: &Caller,
    request: &ApiVersionsRequest,
) -> ApiVersionsResponse {
    const NAMED_FROM: i16 = 3;
    if caller.version >= NAMED_FROM
        && !(names_software(&request.client_software_name)
            && names_software(&request.client_software_version))
    {
        return ApiVersionsResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            ..ApiVersionsResponse::default()
        };
    }
    let image = broker.image();
    ApiVersionsResponse {
        api_keys: advertised(),
        supported_features: FEATURES
            .iter()
            .map(|feature| SupportedFeatureKey {
                name: Text::from_static(feature.name),
                min_version: feature.min,
                max_version: feature.max,
            })
            .collect(),
        finalized_features_epoch: i64::try_from(image.features_epoch()).unwrap_or(-1),
        finalized_features: image
            .features()
            .map(|(name, level)| FinalizedFeatureKey {
                name: Text::from(name),
                max_version_level: level,
                min_version_level: level,
            })
            .collect(),
        ..ApiVersionsResponse::default()
    }
}

/// Kafka's rule for the names that clients give themselves.
fn names_software(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            first.is_ascii_alphanumeric()
                && last.is_ascii_alphanumeric()
                && bytes.iter().all(|byte| inner(*byte))
        }
        _ => false,
    }
}
