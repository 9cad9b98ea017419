//! `Refusal`: the one catalogue of what the gateway refuses, with what each wire makes of it.

use std::time::Duration;

use aquifer_client::{ClientError, DeliveryError, SendError};
use aquifer_wire::ErrorCode;

/// How a refusal is told, everywhere the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stable; programs decide by it.
    pub name: &'static str,
    pub http: u16,
    /// The number of gRPC's status.
    pub grpc: i32,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    pub title: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

/// gRPC's statuses, by the numbers its wire has for them.
mod grpc {
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const DEADLINE_EXCEEDED: i32 = 4;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const ALREADY_EXISTS: i32 = 6;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(super) const FAILED_PRECONDITION: i32 = 9;
    pub(super) const ABORTED: i32 = 10;
    pub(super) const OUT_OF_RANGE: i32 = 11;
    pub(super) const UNIMPLEMENTED: i32 = 12;
    pub(super) const INTERNAL: i32 = 13;
    pub(super) const UNAVAILABLE: i32 = 14;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}

macro_rules! catalogue {
    ($($variant:ident $name:literal $http:literal $grpc:ident $retryable:literal $title:literal, $hint:literal;)*) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($variant),* }

        /// Every refusal there is.
        pub const CATALOGUE: &[(Code, Entry)] = &[$((Code::$variant, Entry {
            name: $name,
            http: $http,
            grpc: grpc::$grpc,
            retryable: $retryable,
            title: $title,
            hint: $hint,
        })),*];
    };
}

catalogue! {
    MalformedBody "malformed_body" 400 INVALID_ARGUMENT false "The body cannot be read",
        "send what the operation's schema in /v1/openapi.json asks for";
    InvalidParameter "invalid_parameter" 400 INVALID_ARGUMENT false "A parameter is not allowed",
        "see the operation in /v1/openapi.json";
    InvalidPosition "invalid_position" 400 INVALID_ARGUMENT false "Not a position in a partition",
        "write earliest, latest, an offset, -N (before the end), @ and a time of RFC 3339, or c. and a cursor";
    InvalidCursor "invalid_cursor" 400 INVALID_ARGUMENT false "Not a cursor of this gateway",
        "send a cursor as it was answered, unchanged";
    ForeignCursor "foreign_cursor" 409 FAILED_PRECONDITION false "The cursor belongs to another topic, partition or group",
        "read on where the cursor came from, or start without it; a topic that was created again is another topic";
    InvalidToken "invalid_token" 400 INVALID_ARGUMENT false "Not a token of this gateway",
        "send the token as it was answered, unchanged; gateways that share work must share one secret";
    ExpiredToken "expired_token" 410 FAILED_PRECONDITION false "The session is over",
        "open a new session of the group: it goes on from what was acknowledged";
    ForeignToken "foreign_token" 403 PERMISSION_DENIED false "The token belongs to another cluster or caller",
        "use the token with the cluster and the credentials it was opened with";
    Unauthenticated "unauthenticated" 401 UNAUTHENTICATED false "The caller is not known",
        "send an API key or a bearer token that this gateway knows in Authorization: Bearer, or what its brokers know in Authorization: Basic";
    Forbidden "forbidden" 403 PERMISSION_DENIED false "The caller may not do this",
        "ask an operator for the permission";
    UnknownTopic "unknown_topic" 404 NOT_FOUND false "The topic is not there",
        "create it with PUT /v1/topics/{topic}";
    UnknownPartition "unknown_partition" 404 NOT_FOUND false "The topic has no such partition",
        "GET /v1/topics/{topic} lists its partitions";
    UnknownGroup "unknown_group" 404 NOT_FOUND false "The group is not there",
        "GET /v1/groups lists the groups";
    UnknownRoute "unknown_route" 404 UNIMPLEMENTED false "Nothing is served there",
        "see /v1/openapi.json for what is";
    MethodNotAllowed "method_not_allowed" 405 UNIMPLEMENTED false "The path does not take this method",
        "see the path in /v1/openapi.json";
    TopicExists "topic_exists" 409 ALREADY_EXISTS false "The topic is there and looks different",
        "PATCH /v1/topics/{topic} changes configs and adds partitions";
    GroupNotEmpty "group_not_empty" 409 FAILED_PRECONDITION false "The group has members",
        "stop its consumers first, or wait until their sessions end";
    GroupFenced "group_fenced" 409 ABORTED true "The member was fenced",
        "poll again: the session joins anew";
    UnknownInstance "unknown_instance" 404 NOT_FOUND false "The consumer instance is not there",
        "create it with POST /consumers/{group}";
    InstanceExists "instance_exists" 409 ALREADY_EXISTS false "A consumer instance has this name",
        "choose another name, or delete the instance first";
    SubscriptionConflict "subscription_conflict" 409 FAILED_PRECONDITION false "The consumer instance reads something of another kind, or nothing",
        "subscribe it, or unsubscribe it first";
    NotAssigned "not_assigned" 409 FAILED_PRECONDITION true "The session does not own the partition",
        "poll first: assigned tells what the session owns, and that may change";
    SequenceGap "sequence_gap" 409 FAILED_PRECONDITION false "Records before these are missing",
        "send from the expected sequence on";
    IdempotencyConflict "idempotency_conflict" 422 FAILED_PRECONDITION false "The key was used for another request",
        "use a new Idempotency-Key for a new request";
    ProducerFenced "producer_fenced" 403 FAILED_PRECONDITION false "A newer epoch of this producer has taken over",
        "stop, or go on with the current epoch if this is the instance that should";
    UnexpectedOffset "unexpected_offset" 412 FAILED_PRECONDITION false "The partition does not end at the expected offset",
        "read what was appended since, and decide anew";
    AnotherToken "another_fencing_token" 412 FAILED_PRECONDITION false "The partition's fencing token is another one",
        "stop: somebody else took over; or set a token of your own first";
    ChunkGone "chunk_gone" 410 OUT_OF_RANGE false "The records were removed by retention",
        "read on from the earliest offset";
    ChunkOpen "chunk_open" 404 NOT_FOUND true "The chunk is not complete yet",
        "read its records, or ask again once the partition has grown";
    NotImmutable "not_immutable" 409 FAILED_PRECONDITION false "What the topic holds may change",
        "read its records: only topics with cleanup.policy=delete have chunks";
    RangeNotSatisfiable "range_not_satisfiable" 416 OUT_OF_RANGE false "The chunk has no such bytes",
        "ask for bytes within the length that Content-Range names";
    OffsetOutOfRange "offset_out_of_range" 416 OUT_OF_RANGE false "The offset is not in the partition",
        "read from earliest, or from an offset between the two that are named";
    BodyTooLarge "body_too_large" 413 RESOURCE_EXHAUSTED false "The body is larger than this gateway takes",
        "send fewer records at a time";
    RecordTooLarge "record_too_large" 413 INVALID_ARGUMENT false "A record is larger than its topic takes",
        "raise the topic's max.message.bytes, or store the value elsewhere and send a reference";
    UnsupportedMedia "unsupported_media_type" 415 INVALID_ARGUMENT false "The media type or encoding is not one that is read here",
        "see the operation's request body in /v1/openapi.json";
    NotAcceptable "not_acceptable" 406 INVALID_ARGUMENT false "No representation that the caller accepts",
        "see the operation's responses in /v1/openapi.json";
    InvalidRecord "invalid_record" 422 INVALID_ARGUMENT false "A record is not one that its topic takes",
        "see the detail; a compacted topic takes records with a key only";
    InvalidTopic "invalid_topic" 422 INVALID_ARGUMENT false "The name or settings are none that a topic can have",
        "names have at most 249 letters, digits, '.', '_' or '-'; see the detail for settings";
    PolicyViolation "policy_violation" 409 FAILED_PRECONDITION false "The cluster does not allow that",
        "see the detail: a mounted bucket is only read, and limits that an operator set hold for everybody";
    InvalidGroup "invalid_group" 422 INVALID_ARGUMENT false "The group cannot be as it is asked for",
        "see the detail";
    TooManyRequests "too_many_requests" 429 RESOURCE_EXHAUSTED true "More is under way than this gateway takes on",
        "wait as long as Retry-After says, then send it again";
    Throttled "throttled" 429 RESOURCE_EXHAUSTED true "A quota is used up",
        "wait as long as Retry-After says, then send it again";
    Unsupported "unsupported_by_cluster" 501 UNIMPLEMENTED false "The cluster behind this gateway cannot do that",
        "GET /v1/capabilities tells what it can";
    Unavailable "unavailable" 503 UNAVAILABLE true "The cluster does not answer",
        "send it again; if it goes on, see whether the brokers run and the gateway reaches them";
    StorageFull "storage_unavailable" 503 UNAVAILABLE true "The broker cannot write",
        "send it again later; operators: see the broker's log, its disk may be full or offline";
    NotEnoughReplicas "not_enough_replicas" 503 UNAVAILABLE true "Too few replicas are in sync",
        "send it again once more brokers run";
    Draining "draining" 503 UNAVAILABLE true "This gateway is about to stop",
        "send it again: another gateway answers";
    OutcomeUnknown "outcome_unknown" 504 DEADLINE_EXCEEDED true "No answer in time: it may have happened or not",
        "with Producer-Id or Idempotency-Key it is safe to send it again; without, a record may come to stand twice";
    Timeout "timeout" 504 DEADLINE_EXCEEDED true "No answer in time",
        "send it again";
    Corrupt "corrupt_data" 502 INTERNAL false "Records of the partition cannot be read",
        "operators: run aquifer log verify on the broker's data";
    Internal "internal" 500 INTERNAL false "Something went wrong inside",
        "tell an operator the request id; the gateway's log has more";
}

/// What a program may want to know besides the code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub topic: Option<String>,
    pub partition: Option<i32>,
    /// What the request would have had to say.
    pub expected: Option<String>,
    /// What is, in place of what the request said.
    pub actual: Option<String>,
    pub earliest_offset: Option<String>,
    pub latest_offset: Option<String>,
}

/// A request that was not done, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", .code.entry().name)]
pub struct Refusal {
    pub code: Code,
    pub detail: String,
    pub retry_after: Option<Duration>,
    pub facts: Box<Facts>,
}

impl Code {
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        // The table is made with the enum, a row for each variant in its order.
        &CATALOGUE[self as usize].1
    }
}

/// How long to wait before trying again what may heal by itself.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Refusal {
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Refusal {
        let retry_after = matches!(code.entry().http, 429 | 503).then_some(RETRY_AFTER);
        Refusal { code, detail: detail.into(), retry_after, facts: Box::default() }
    }

    /// The same about a partition.
    #[must_use]
    pub fn at(mut self, topic: &str, partition: Option<i32>) -> Refusal {
        self.facts.topic = Some(topic.to_owned());
        self.facts.partition = partition;
        self
    }

    /// What a failure of an operation on the cluster comes to.
    #[must_use]
    pub fn of_client(error: &ClientError) -> Refusal {
        if let Some(code) = error.code() {
            return Refusal::new(of_kafka(code), error.to_string());
        }
        let code = match error {
            _ if error.is_refused_login() => Code::Unauthenticated,
            _ if error.is_unsupported() => Code::Unsupported,
            _ if error.retriable() => Code::Unavailable,
            _ => Code::Internal,
        };
        Refusal::new(code, chain(error))
    }

    /// What a record that was not taken comes to.
    #[must_use]
    pub fn of_send(error: &SendError) -> Refusal {
        match error {
            SendError::Topic(error) | SendError::Identity(error) => Refusal::of_client(error),
            SendError::NoSuchPartition { partition, .. } => {
                let mut refusal = Refusal::new(Code::UnknownPartition, error.to_string());
                refusal.facts.partition = Some(*partition);
                refusal
            }
            SendError::Unpackable(source) => Refusal::new(Code::InvalidRecord, source.to_string()),
            SendError::Closed => Refusal::new(Code::Draining, "the gateway takes no further records"),
        }
    }

    /// What a record that did not arrive comes to.
    #[must_use]
    pub fn of_delivery(error: &DeliveryError) -> Refusal {
        let code = match error {
            DeliveryError::Refused { code, .. } => of_kafka(*code),
            DeliveryError::TimedOut { .. } => Code::OutcomeUnknown,
            DeliveryError::Pack(_) => Code::InvalidRecord,
            DeliveryError::Closed => Code::Draining,
        };
        Refusal::new(code, error.to_string())
    }
}

/// An error with everything that led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// What an error that a broker named comes to.
fn of_kafka(code: ErrorCode) -> Code {
    match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::INCONSISTENT_TOPIC_ID => Code::UnknownTopic,
        ErrorCode::TOPIC_ALREADY_EXISTS => Code::TopicExists,
        ErrorCode::INVALID_TOPIC_EXCEPTION
        | ErrorCode::INVALID_CONFIG
        | ErrorCode::INVALID_PARTITIONS
        | ErrorCode::INVALID_REPLICATION_FACTOR => Code::InvalidTopic,
        ErrorCode::POLICY_VIOLATION => Code::PolicyViolation,
        ErrorCode::OFFSET_OUT_OF_RANGE => Code::OffsetOutOfRange,
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => Code::RecordTooLarge,
        ErrorCode::CORRUPT_MESSAGE
        | ErrorCode::INVALID_RECORD
        | ErrorCode::INVALID_TIMESTAMP
        | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
        | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
        | ErrorCode::INVALID_TXN_STATE => Code::InvalidRecord,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID => Code::SequenceGap,
        ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::PRODUCER_FENCED => Code::ProducerFenced,
        ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
            Code::NotEnoughReplicas
        }
        ErrorCode::KAFKA_STORAGE_ERROR => Code::StorageFull,
        ErrorCode::THROTTLING_QUOTA_EXCEEDED => Code::Throttled,
        ErrorCode::REQUEST_TIMED_OUT => Code::OutcomeUnknown,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::GROUP_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED => Code::Forbidden,
        ErrorCode::GROUP_ID_NOT_FOUND => Code::UnknownGroup,
        ErrorCode::NON_EMPTY_GROUP | ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC => Code::GroupNotEmpty,
        ErrorCode::INVALID_GROUP_ID
        | ErrorCode::GROUP_MAX_SIZE_REACHED
        | ErrorCode::UNRELEASED_INSTANCE_ID
        | ErrorCode::INVALID_REGULAR_EXPRESSION
        | ErrorCode::INCONSISTENT_GROUP_PROTOCOL => Code::InvalidGroup,
        ErrorCode::FENCED_MEMBER_EPOCH
        | ErrorCode::STALE_MEMBER_EPOCH
        | ErrorCode::UNKNOWN_MEMBER_ID
        | ErrorCode::FENCED_INSTANCE_ID
        | ErrorCode::ILLEGAL_GENERATION
        | ErrorCode::REBALANCE_IN_PROGRESS => Code::GroupFenced,
        ErrorCode::UNSUPPORTED_VERSION => Code::Unsupported,
        ErrorCode::INVALID_REQUEST => Code::InvalidParameter,
        code if code.retriable() => Code::Unavailable,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod refusal_test {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_catalogue_has_a_row_for_each_code_under_a_name_of_its_own() {
        let names: BTreeSet<&str> = CATALOGUE.iter().map(|(_, entry)| entry.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        for (index, (code, entry)) in CATALOGUE.iter().enumerate() {
            assert_eq!(*code as usize, index);
            assert_eq!(code.entry(), entry);
            assert!((400..600).contains(&entry.http), "{}", entry.name);
            assert!(!entry.hint.is_empty() && !entry.title.ends_with('.'), "{}", entry.name);
        }
    }

    #[test]
    fn every_error_a_broker_can_name_has_a_code() {
        for number in -1..=150 {
            let code = of_kafka(ErrorCode(number));
            let retriable = ErrorCode(number).retriable();
            let told = code.entry().retryable;
            let known = !matches!(code, Code::Internal);
            assert!(
                known || !retriable,
                "{}: may heal by itself, and is told as internal",
                ErrorCode(number)
            );
            assert!(!matches!(code, Code::Unavailable) || told, "{}", ErrorCode(number));
        }
    }
}
