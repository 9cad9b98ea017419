//! The APIs: their keys, the versions supported of each, and a body of any of them.

use bytes::Bytes;

use crate::decoder::DecodeError;
use crate::encoder::{EncodeError, Piece};
use crate::frame::encode_response;
use crate::message::{Described, Message, Request, Response};
use crate::messages::*;

/// What can be encoded and decoded of one API. What a broker advertises of it is the broker's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedVersions {
    pub key: ApiKey,
    pub min: i16,
    /// The last version, inclusive.
    pub max: i16,
    pub flexible_from: i16,
}

impl SupportedVersions {
    #[must_use]
    pub fn contains(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }
}

/// A test over all message types.
#[cfg(test)]
pub(crate) trait MessageVisitor {
    fn visit<M: Message + crate::sample::Sample>(&mut self, direction: &'static str);
}

macro_rules! apis {
    ($($api:ident = $number:literal: $request:ident, $response:ident;)*) => {
        /// The APIs that have a codec, by Kafka's numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $($api = $number,)*
        }

        /// Every API, in the order of their numbers.
        pub const SUPPORTED: &[SupportedVersions] = &[$(ApiKey::$api.supported(),)*];

        impl ApiKey {
            #[must_use]
            pub const fn from_number(number: i16) -> Option<ApiKey> {
                match number {
                    $($number => Some(ApiKey::$api),)*
                    _ => None,
                }
            }

            #[must_use]
            pub const fn number(self) -> i16 {
                self as i16
            }

            /// Whether it is an API of ours, which Kafka does not know.
            #[must_use]
            pub const fn is_own(self) -> bool {
                self.number() >= 20_000
            }

            /// Kafka's name of the API, or ours.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(ApiKey::$api => stringify!($api),)*
                }
            }

            #[must_use]
            pub const fn supported(self) -> SupportedVersions {
                match self {
                    $(ApiKey::$api => SupportedVersions {
                        key: ApiKey::$api,
                        min: <$request as Described>::VERSION_MIN,
                        max: <$request as Described>::VERSION_MAX,
                        flexible_from: <$request as Described>::FLEXIBLE_FROM,
                    },)*
                }
            }
        }

        $(
            impl_message!($api, $request);
            impl_message!($api, $response);

            impl Request for $request {
                type Response = $response;
            }

            impl Response for $response {
                type Request = $request;
            }

            impl From<$request> for RequestBody {
                fn from(request: $request) -> RequestBody {
                    RequestBody::$api(request)
                }
            }

            impl From<$response> for ResponseBody {
                fn from(response: $response) -> ResponseBody {
                    ResponseBody::$api(response)
                }
            }
        )*

        /// Shows every request and response type to a test.
        #[cfg(test)]
        pub(crate) fn visit_messages(visitor: &mut impl MessageVisitor) {
            $(
                visitor.visit::<$request>("request");
                visitor.visit::<$response>("response");
            )*
        }

        /// A request of any API.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum RequestBody {
            $($api($request),)*
        }

        /// A response of any API.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ResponseBody {
            $($api($response),)*
        }

        impl RequestBody {
            #[must_use]
            pub fn key(&self) -> ApiKey {
                match self {
                    $(RequestBody::$api(_) => ApiKey::$api,)*
                }
            }

            /// Reads a body. What follows the message is ignored, as Kafka does.
            pub fn decode(key: ApiKey, version: i16, body: &Bytes) -> Result<RequestBody, DecodeError> {
                match key {
                    $(ApiKey::$api => <$request>::decode_body_start(version, body).map(RequestBody::$api),)*
                }
            }

            /// The body without size and header.
            pub fn encode_body(&self, version: i16) -> Result<Vec<Piece>, EncodeError> {
                match self {
                    $(RequestBody::$api(request) => request.encode_body(version),)*
                }
            }
        }

        impl ResponseBody {
            #[must_use]
            pub fn key(&self) -> ApiKey {
                match self {
                    $(ResponseBody::$api(_) => ApiKey::$api,)*
                }
            }

            /// Reads a body, which must end where the message ends.
            pub fn decode(key: ApiKey, version: i16, body: &Bytes) -> Result<ResponseBody, DecodeError> {
                match key {
                    $(ApiKey::$api => <$response>::decode_body(version, body).map(ResponseBody::$api),)*
                }
            }

            /// The body without size and header.
            pub fn encode_body(&self, version: i16) -> Result<Vec<Piece>, EncodeError> {
                match self {
                    $(ResponseBody::$api(response) => response.encode_body(version),)*
                }
            }

            /// A whole response with size and header, in pieces to be sent in order.
            pub fn encode(&self, correlation_id: i32, version: i16) -> Result<Vec<Piece>, EncodeError> {
                match self {
                    $(ResponseBody::$api(response) => encode_response(correlation_id, version, response),)*
                }
            }
        }
    };
}

macro_rules! impl_message {
    ($api:ident, $message:ident) => {
        impl Message for $message {
            const KEY: ApiKey = ApiKey::$api;
            const VERSION_MIN: i16 = <$message as Described>::VERSION_MIN;
            const VERSION_MAX: i16 = <$message as Described>::VERSION_MAX;
            const FLEXIBLE_FROM: i16 = <$message as Described>::FLEXIBLE_FROM;
        }
    };
}

apis! {
    Produce = 0: ProduceRequest, ProduceResponse;
    Fetch = 1: FetchRequest, FetchResponse;
    ListOffsets = 2: ListOffsetsRequest, ListOffsetsResponse;
    Metadata = 3: MetadataRequest, MetadataResponse;
    OffsetCommit = 8: OffsetCommitRequest, OffsetCommitResponse;
    OffsetFetch = 9: OffsetFetchRequest, OffsetFetchResponse;
    FindCoordinator = 10: FindCoordinatorRequest, FindCoordinatorResponse;
    JoinGroup = 11: JoinGroupRequest, JoinGroupResponse;
    Heartbeat = 12: HeartbeatRequest, HeartbeatResponse;
    LeaveGroup = 13: LeaveGroupRequest, LeaveGroupResponse;
    SyncGroup = 14: SyncGroupRequest, SyncGroupResponse;
    DescribeGroups = 15: DescribeGroupsRequest, DescribeGroupsResponse;
    ListGroups = 16: ListGroupsRequest, ListGroupsResponse;
    SaslHandshake = 17: SaslHandshakeRequest, SaslHandshakeResponse;
    ApiVersions = 18: ApiVersionsRequest, ApiVersionsResponse;
    CreateTopics = 19: CreateTopicsRequest, CreateTopicsResponse;
    DeleteTopics = 20: DeleteTopicsRequest, DeleteTopicsResponse;
    DeleteRecords = 21: DeleteRecordsRequest, DeleteRecordsResponse;
    InitProducerId = 22: InitProducerIdRequest, InitProducerIdResponse;
    OffsetForLeaderEpoch = 23: OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    DescribeAcls = 29: DescribeAclsRequest, DescribeAclsResponse;
    CreateAcls = 30: CreateAclsRequest, CreateAclsResponse;
    DeleteAcls = 31: DeleteAclsRequest, DeleteAclsResponse;
    DescribeConfigs = 32: DescribeConfigsRequest, DescribeConfigsResponse;
    AlterConfigs = 33: AlterConfigsRequest, AlterConfigsResponse;
    DescribeLogDirs = 35: DescribeLogDirsRequest, DescribeLogDirsResponse;
    SaslAuthenticate = 36: SaslAuthenticateRequest, SaslAuthenticateResponse;
    CreatePartitions = 37: CreatePartitionsRequest, CreatePartitionsResponse;
    DeleteGroups = 42: DeleteGroupsRequest, DeleteGroupsResponse;
    IncrementalAlterConfigs = 44: IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    ListPartitionReassignments = 46: ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
    OffsetDelete = 47: OffsetDeleteRequest, OffsetDeleteResponse;
    DescribeClientQuotas = 48: DescribeClientQuotasRequest, DescribeClientQuotasResponse;
    AlterClientQuotas = 49: AlterClientQuotasRequest, AlterClientQuotasResponse;
    DescribeUserScramCredentials = 50: DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
    AlterUserScramCredentials = 51: AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse;
    DescribeQuorum = 55: DescribeQuorumRequest, DescribeQuorumResponse;
    UpdateFeatures = 57: UpdateFeaturesRequest, UpdateFeaturesResponse;
    DescribeCluster = 60: DescribeClusterRequest, DescribeClusterResponse;
    DescribeProducers = 61: DescribeProducersRequest, DescribeProducersResponse;
    ConsumerGroupHeartbeat = 68: ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    ConsumerGroupDescribe = 69: ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
    ListConfigResources = 74: ListConfigResourcesRequest, ListConfigResourcesResponse;
    DescribeTopicPartitions = 75: DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
    AquiferAppend = 20_000: AquiferAppendRequest, AquiferAppendResponse;
    AquiferFence = 20_001: AquiferFenceRequest, AquiferFenceResponse;
    AquiferTier = 20_002: AquiferTierRequest, AquiferTierResponse;
}
