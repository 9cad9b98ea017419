//! `ErrorCode`: every error of Kafka 4.3 with its number, its name and whether trying again may help.

use std::fmt;

/// An error number as it stands on the wire. Numbers that Kafka 4.3 does not know are kept as they are.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

macro_rules! error_codes {
    ($($name:ident = $number:literal $kind:ident;)*) => {
        impl ErrorCode {
            $(pub const $name: ErrorCode = ErrorCode($number);)*

            /// Every known error with its name and whether it is retriable, by number.
            const TABLE: &'static [(i16, &'static str, bool)] =
                &[$(($number, stringify!($name), is_retriable!($kind)),)*];
        }
    };
}

macro_rules! is_retriable {
    (retriable) => {
        true
    };
    (lasting) => {
        false
    };
}

error_codes! {
    UNKNOWN_SERVER_ERROR = -1 lasting;
    NONE = 0 lasting;
    OFFSET_OUT_OF_RANGE = 1 lasting;
    CORRUPT_MESSAGE = 2 retriable;
    UNKNOWN_TOPIC_OR_PARTITION = 3 retriable;
    INVALID_FETCH_SIZE = 4 lasting;
    LEADER_NOT_AVAILABLE = 5 retriable;
    NOT_LEADER_OR_FOLLOWER = 6 retriable;
    REQUEST_TIMED_OUT = 7 retriable;
    BROKER_NOT_AVAILABLE = 8 lasting;
    REPLICA_NOT_AVAILABLE = 9 retriable;
    MESSAGE_TOO_LARGE = 10 lasting;
    STALE_CONTROLLER_EPOCH = 11 lasting;
    OFFSET_METADATA_TOO_LARGE = 12 lasting;
    NETWORK_EXCEPTION = 13 retriable;
    COORDINATOR_LOAD_IN_PROGRESS = 14 retriable;
    COORDINATOR_NOT_AVAILABLE = 15 retriable;
    NOT_COORDINATOR = 16 retriable;
    INVALID_TOPIC_EXCEPTION = 17 lasting;
    RECORD_LIST_TOO_LARGE = 18 lasting;
    NOT_ENOUGH_REPLICAS = 19 retriable;
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20 retriable;
    INVALID_REQUIRED_ACKS = 21 lasting;
    ILLEGAL_GENERATION = 22 lasting;
    INCONSISTENT_GROUP_PROTOCOL = 23 lasting;
    INVALID_GROUP_ID = 24 lasting;
    UNKNOWN_MEMBER_ID = 25 lasting;
    INVALID_SESSION_TIMEOUT = 26 lasting;
    REBALANCE_IN_PROGRESS = 27 lasting;
    INVALID_COMMIT_OFFSET_SIZE = 28 lasting;
    TOPIC_AUTHORIZATION_FAILED = 29 lasting;
    GROUP_AUTHORIZATION_FAILED = 30 lasting;
    CLUSTER_AUTHORIZATION_FAILED = 31 lasting;
    INVALID_TIMESTAMP = 32 lasting;
    UNSUPPORTED_SASL_MECHANISM = 33 lasting;
    ILLEGAL_SASL_STATE = 34 lasting;
    UNSUPPORTED_VERSION = 35 lasting;
    TOPIC_ALREADY_EXISTS = 36 lasting;
    INVALID_PARTITIONS = 37 lasting;
    INVALID_REPLICATION_FACTOR = 38 lasting;
    INVALID_REPLICA_ASSIGNMENT = 39 lasting;
    INVALID_CONFIG = 40 lasting;
    NOT_CONTROLLER = 41 retriable;
    INVALID_REQUEST = 42 lasting;
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43 lasting;
    POLICY_VIOLATION = 44 lasting;
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45 lasting;
    DUPLICATE_SEQUENCE_NUMBER = 46 lasting;
    INVALID_PRODUCER_EPOCH = 47 lasting;
    INVALID_TXN_STATE = 48 lasting;
    INVALID_PRODUCER_ID_MAPPING = 49 lasting;
    INVALID_TRANSACTION_TIMEOUT = 50 lasting;
    CONCURRENT_TRANSACTIONS = 51 retriable;
    TRANSACTION_COORDINATOR_FENCED = 52 lasting;
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53 lasting;
    SECURITY_DISABLED = 54 lasting;
    OPERATION_NOT_ATTEMPTED = 55 lasting;
    KAFKA_STORAGE_ERROR = 56 retriable;
    LOG_DIR_NOT_FOUND = 57 lasting;
    SASL_AUTHENTICATION_FAILED = 58 lasting;
    UNKNOWN_PRODUCER_ID = 59 lasting;
    REASSIGNMENT_IN_PROGRESS = 60 lasting;
    DELEGATION_TOKEN_AUTH_DISABLED = 61 lasting;
    DELEGATION_TOKEN_NOT_FOUND = 62 lasting;
    DELEGATION_TOKEN_OWNER_MISMATCH = 63 lasting;
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64 lasting;
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65 lasting;
    DELEGATION_TOKEN_EXPIRED = 66 lasting;
    INVALID_PRINCIPAL_TYPE = 67 lasting;
    NON_EMPTY_GROUP = 68 lasting;
    GROUP_ID_NOT_FOUND = 69 lasting;
    FETCH_SESSION_ID_NOT_FOUND = 70 retriable;
    INVALID_FETCH_SESSION_EPOCH = 71 retriable;
    LISTENER_NOT_FOUND = 72 retriable;
    TOPIC_DELETION_DISABLED = 73 lasting;
    FENCED_LEADER_EPOCH = 74 retriable;
    UNKNOWN_LEADER_EPOCH = 75 retriable;
    UNSUPPORTED_COMPRESSION_TYPE = 76 lasting;
    STALE_BROKER_EPOCH = 77 lasting;
    OFFSET_NOT_AVAILABLE = 78 retriable;
    MEMBER_ID_REQUIRED = 79 lasting;
    PREFERRED_LEADER_NOT_AVAILABLE = 80 retriable;
    GROUP_MAX_SIZE_REACHED = 81 lasting;
    FENCED_INSTANCE_ID = 82 lasting;
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83 retriable;
    ELECTION_NOT_NEEDED = 84 retriable;
    NO_REASSIGNMENT_IN_PROGRESS = 85 lasting;
    GROUP_SUBSCRIBED_TO_TOPIC = 86 lasting;
    INVALID_RECORD = 87 lasting;
    UNSTABLE_OFFSET_COMMIT = 88 retriable;
    THROTTLING_QUOTA_EXCEEDED = 89 retriable;
    PRODUCER_FENCED = 90 lasting;
    RESOURCE_NOT_FOUND = 91 lasting;
    DUPLICATE_RESOURCE = 92 lasting;
    UNACCEPTABLE_CREDENTIAL = 93 lasting;
    INCONSISTENT_VOTER_SET = 94 lasting;
    INVALID_UPDATE_VERSION = 95 lasting;
    FEATURE_UPDATE_FAILED = 96 lasting;
    PRINCIPAL_DESERIALIZATION_FAILURE = 97 lasting;
    SNAPSHOT_NOT_FOUND = 98 lasting;
    POSITION_OUT_OF_RANGE = 99 lasting;
    UNKNOWN_TOPIC_ID = 100 retriable;
    DUPLICATE_BROKER_REGISTRATION = 101 lasting;
    BROKER_ID_NOT_REGISTERED = 102 lasting;
    INCONSISTENT_TOPIC_ID = 103 retriable;
    INCONSISTENT_CLUSTER_ID = 104 lasting;
    TRANSACTIONAL_ID_NOT_FOUND = 105 lasting;
    FETCH_SESSION_TOPIC_ID_ERROR = 106 retriable;
    INELIGIBLE_REPLICA = 107 lasting;
    NEW_LEADER_ELECTED = 108 lasting;
    OFFSET_MOVED_TO_TIERED_STORAGE = 109 lasting;
    FENCED_MEMBER_EPOCH = 110 lasting;
    UNRELEASED_INSTANCE_ID = 111 lasting;
    UNSUPPORTED_ASSIGNOR = 112 lasting;
    STALE_MEMBER_EPOCH = 113 lasting;
    MISMATCHED_ENDPOINT_TYPE = 114 lasting;
    UNSUPPORTED_ENDPOINT_TYPE = 115 lasting;
    UNKNOWN_CONTROLLER_ID = 116 lasting;
    UNKNOWN_SUBSCRIPTION_ID = 117 lasting;
    TELEMETRY_TOO_LARGE = 118 lasting;
    INVALID_REGISTRATION = 119 lasting;
    TRANSACTION_ABORTABLE = 120 lasting;
    INVALID_RECORD_STATE = 121 lasting;
    SHARE_SESSION_NOT_FOUND = 122 retriable;
    INVALID_SHARE_SESSION_EPOCH = 123 retriable;
    FENCED_STATE_EPOCH = 124 lasting;
    INVALID_VOTER_KEY = 125 lasting;
    DUPLICATE_VOTER = 126 lasting;
    VOTER_NOT_FOUND = 127 lasting;
    INVALID_REGULAR_EXPRESSION = 128 lasting;
    REBOOTSTRAP_REQUIRED = 129 lasting;
    STREAMS_INVALID_TOPOLOGY = 130 lasting;
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131 lasting;
    STREAMS_TOPOLOGY_FENCED = 132 lasting;
    SHARE_SESSION_LIMIT_REACHED = 133 retriable;
}

impl ErrorCode {
    /// Every error Kafka 4.3 knows, by number.
    pub fn all() -> impl Iterator<Item = ErrorCode> {
        ErrorCode::TABLE.iter().map(|(number, _, _)| ErrorCode(*number))
    }

    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether a client may try the same request again, as the Java client sees it; unknown errors are not.
    #[must_use]
    pub fn retriable(self) -> bool {
        self.entry().is_some_and(|(_, _, retriable)| *retriable)
    }

    /// Kafka's name of the error, if it is known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|(_, name, _)| *name)
    }

    fn entry(self) -> Option<&'static (i16, &'static str, bool)> {
        let index = ErrorCode::TABLE.binary_search_by_key(&self.0, |(number, _, _)| *number).ok()?;
        ErrorCode::TABLE.get(index)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_so_that_every_error_is_found() {
        assert!(ErrorCode::TABLE.is_sorted_by(|a, b| a.0 < b.0));
        assert!(ErrorCode::all().all(|code| code.name().is_some()));
    }

    #[test]
    fn names_and_retriability_are_kafkas() {
        assert_eq!(ErrorCode(35), ErrorCode::UNSUPPORTED_VERSION);
        assert_eq!(ErrorCode::NOT_LEADER_OR_FOLLOWER.name(), Some("NOT_LEADER_OR_FOLLOWER"));
        assert!(ErrorCode::NOT_LEADER_OR_FOLLOWER.retriable());
        assert!(!ErrorCode::TOPIC_AUTHORIZATION_FAILED.retriable());
        assert_eq!(format!("{:?} {}", ErrorCode(2), ErrorCode(9999)), "CORRUPT_MESSAGE(2) error 9999");
    }
}
