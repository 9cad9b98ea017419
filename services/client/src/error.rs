//! What goes wrong with a connection, with a call, and with an operation on the cluster.

use std::io;
use std::sync::Arc;

use aquifer_wire::{ApiKey, DecodeError, EncodeError, ErrorCode, Text};

use crate::address::Address;
use crate::secure::SaslError;

/// Why a connection ended. Every call under way gets a copy.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Closed {
    #[error("read from the broker")]
    Read(#[source] Arc<io::Error>),
    #[error("write to the broker")]
    Write(#[source] Arc<io::Error>),
    #[error("the broker closed the connection")]
    ByPeer,
    #[error("the broker answered with a frame of {length} bytes")]
    FrameLength { length: i32 },
    #[error("the broker answered request {answered} where {expected:?} was next")]
    OutOfOrder { answered: i32, expected: Option<i32> },
    /// A later answer could only come behind the one that is missing.
    #[error("a request before was not answered in time")]
    TimedOut,
    #[error("the connection is no longer used")]
    Dropped,
}

/// No connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("connect to {address}")]
    Io { address: Address, source: io::Error },
    #[error("connect to {address}: no answer in time")]
    TimedOut { address: Address },
    #[error("ask {address} for its versions")]
    Versions { address: Address, source: CallError },
    #[error("log in at {address}")]
    Login { address: Address, source: SaslError },
    #[error("exchange credentials with {address}")]
    LoginCall { address: Address, source: CallError },
    #[error("{address} refused to name its versions: {code}")]
    VersionsRefused { address: Address, code: ErrorCode },
}

/// A request got no answer that could be read.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("connection is closed")]
    Closed(#[from] Closed),
    #[error("no answer in time")]
    TimedOut,
    #[error("the broker and this client have no version of {} in common", .api.name())]
    Unsupported { api: ApiKey },
    #[error("encode request")]
    Encode(#[from] EncodeError),
    /// Holes are for brokers, which fill them from files.
    #[error("request has a hole for record bytes")]
    Hole,
    #[error("decode response")]
    Decode(#[from] DecodeError),
}

/// An operation on the cluster did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the broker refused: {code}{}", described(.message.as_ref()))]
    Refused { code: ErrorCode, message: Option<Text> },
    #[error("no broker among the bootstrap addresses answers")]
    NoBroker,
    #[error("broker {0} is not in the cluster's metadata")]
    UnknownBroker(i32),
    #[error("partition {partition} of {topic} has no leader")]
    NoLeader { topic: String, partition: i32 },
    #[error("the answer leaves out {0}")]
    Incomplete(&'static str),
    /// One that several calls have in common.
    #[error(transparent)]
    Shared(Arc<ClientError>),
}

impl ClientError {
    pub(crate) fn check(code: ErrorCode, message: Option<&Text>) -> Result<(), ClientError> {
        if code.is_none() {
            return Ok(());
        }
        Err(ClientError::Refused { code, message: message.map(Text::detached) })
    }

    /// Whether the same operation may succeed later, perhaps with another broker.
    #[must_use]
    pub fn retriable(&self) -> bool {
        match self {
            ClientError::Connect(ConnectError::VersionsRefused { code, .. })
            | ClientError::Refused { code, .. } => code.retriable(),
            ClientError::Call(error) => matches!(error, CallError::Closed(_) | CallError::TimedOut),
            ClientError::Connect(ConnectError::Login { .. }) => false,
            ClientError::Connect(_)
            | ClientError::NoBroker
            | ClientError::UnknownBroker(_)
            | ClientError::NoLeader { .. } => true,
            ClientError::Incomplete(_) => false,
            ClientError::Shared(error) => error.retriable(),
        }
    }

    /// Whether the broker does not take the credentials that it was shown.
    #[must_use]
    pub fn is_refused_login(&self) -> bool {
        match self {
            ClientError::Connect(ConnectError::Login { source, .. }) => {
                matches!(source, SaslError::Refused { .. } | SaslError::Scram(_))
            }
            ClientError::Shared(error) => error.is_refused_login(),
            _ => false,
        }
    }

    /// Whether what is known of leaders and brokers may be out of date.
    pub(crate) fn hints_at_stale_metadata(&self) -> bool {
        match self {
            ClientError::Refused { code, .. } => matches!(
                *code,
                ErrorCode::NOT_LEADER_OR_FOLLOWER
                    | ErrorCode::LEADER_NOT_AVAILABLE
                    | ErrorCode::REPLICA_NOT_AVAILABLE
                    | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                    | ErrorCode::UNKNOWN_TOPIC_ID
                    | ErrorCode::INCONSISTENT_TOPIC_ID
                    | ErrorCode::FENCED_LEADER_EPOCH
                    | ErrorCode::UNKNOWN_LEADER_EPOCH
                    | ErrorCode::KAFKA_STORAGE_ERROR
            ),
            ClientError::Shared(error) => error.hints_at_stale_metadata(),
            ClientError::Incomplete(_) => false,
            _ => true,
        }
    }

    /// Whether the topic or partition is not there, as far as the broker that was asked knows.
    #[must_use]
    pub fn is_unknown_topic(&self) -> bool {
        self.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    /// Whether the broker does not answer requests of this kind at all, or takes no login of this kind.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        match self {
            ClientError::Connect(ConnectError::Login { source, .. }) => {
                matches!(source, SaslError::Mechanism { .. })
            }
            ClientError::Call(error) => matches!(error, CallError::Unsupported { .. }),
            ClientError::Shared(error) => error.is_unsupported(),
            _ => false,
        }
    }

    /// The error the broker named, if it is one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            ClientError::Refused { code, .. } => Some(*code),
            ClientError::Shared(error) => error.code(),
            _ => None,
        }
    }
}

fn described(message: Option<&Text>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}
