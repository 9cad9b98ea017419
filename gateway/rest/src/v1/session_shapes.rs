//! What requests and answers of sessions look like.

use aquifer_gateway::{AskedLimits, Code, From, Held, Moved, Place, ReadLimits, time_text};
use aquifer_types::TimestampMs;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Refused;
use crate::record::{Number, Shown, Values};

/// A partition of a topic.
#[derive(Serialize, ToSchema)]
pub(crate) struct TopicPartition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

/// An offset in a partition.
#[derive(Serialize, ToSchema)]
pub(crate) struct TopicPartitionOffset {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    #[schema(value_type = String, pattern = "^[0-9]+$", example = "12")]
    pub(crate) offset: Number,
}

/// A session to be opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenSessionRequest {
    pub(crate) topics: Vec<String>,
    /// Where to begin where the group has no offset: `earliest`, `latest`, or `@` and a time of RFC 3339.
    #[serde(default)]
    #[schema(nullable = false, default = "earliest")]
    pub(crate) from: Option<String>,
    /// How long the session lives without a request, from 10000 to 1800000; the answer says what is in force.
    #[serde(default)]
    #[schema(value_type = Option<i32>, nullable = false, default = 60_000)]
    pub(crate) ttl_ms: Option<u64>,
    /// Who opens again under this id gets the same member of the group, not another one.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) session_id: Option<String>,
    /// A static member's name: its partitions wait for it while it is away, for as long as the session lives.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) instance_id: Option<String>,
}

/// A session that was opened.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenSessionResponse {
    /// The session: sent with its requests, to any gateway. Every answer brings a newer one.
    pub(crate) token: String,
    pub(crate) member_id: String,
    /// How long it lives without a request. Less than was asked for where the cluster does not let members choose.
    pub(crate) ttl_ms: i32,
    pub(crate) expires_at: String,
}

/// What a session acknowledges, and how much it wants.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollSessionRequest {
    pub(crate) token: String,
    /// Commits what was read before this cursor.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) ack: Option<String>,
    /// Reads on from this cursor; from `ack` if absent, and without both from what is committed.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) after: Option<String>,
    /// At most 10000.
    #[serde(default)]
    #[schema(value_type = Option<i32>, nullable = false, default = 500)]
    pub(crate) max_records: Option<i64>,
    /// Of keys, values and headers; the first record comes however large it is. At most 33554432.
    #[serde(default)]
    #[schema(value_type = Option<i32>, nullable = false, default = 4_194_304)]
    pub(crate) max_bytes: Option<i64>,
    /// How long to wait for the first record. At most 60000, and half of the session's `ttl_ms`.
    #[serde(default)]
    #[schema(value_type = Option<i32>, nullable = false, default = 0)]
    pub(crate) wait_ms: Option<i64>,
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) values: Option<Values>,
}

/// Records, what the session owns, and what to send next.
#[derive(ToSchema)]
#[allow(dead_code, reason = "written by hand, record by record; this is its schema")]
pub(crate) struct PollSessionResponse {
    #[schema(value_type = Vec<Shown<'static>>)]
    pub(crate) records: Vec<()>,
    /// Behind the records: the `ack` of the next request once they are dealt with, or its `after` to read ahead.
    pub(crate) cursor: String,
    pub(crate) token: String,
    pub(crate) expires_at: String,
    /// Everything that the session owns.
    pub(crate) assigned: Vec<TopicPartition>,
    /// What the session owned and lost, or got back after others had it: what was read of it and is not acknowledged yet
    /// comes again, here or elsewhere.
    pub(crate) revoked: Vec<TopicPartition>,
    /// Positions that retention removed, and where reading goes on.
    pub(crate) moved: Vec<MovedPosition>,
    /// Whether this gateway is about to stop, so that the next request is better sent on a new connection.
    pub(crate) reconnect: bool,
}

/// The same behind the records.
#[derive(Serialize)]
pub(crate) struct BehindRecords {
    pub(crate) cursor: String,
    pub(crate) token: String,
    pub(crate) expires_at: String,
    pub(crate) assigned: Vec<TopicPartition>,
    pub(crate) revoked: Vec<TopicPartition>,
    pub(crate) moved: Vec<MovedPosition>,
    pub(crate) reconnect: bool,
}

/// A position that was not in its partition any more.
#[derive(Serialize, ToSchema)]
pub(crate) struct MovedPosition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    pub(crate) from: Number,
    #[schema(value_type = String, pattern = "^[0-9]+$")]
    pub(crate) to: Number,
}

/// What a session acknowledges.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommitSessionRequest {
    pub(crate) token: String,
    /// Commits what was read before this cursor.
    pub(crate) ack: String,
}

/// Where the group stands after an acknowledgement.
#[derive(Serialize, ToSchema)]
pub(crate) struct CommitSessionResponse {
    pub(crate) token: String,
    pub(crate) expires_at: String,
    /// Where the group stands in what was acknowledged. Partitions that the session lost are not among them.
    pub(crate) committed: Vec<TopicPartitionOffset>,
    pub(crate) assigned: Vec<TopicPartition>,
    pub(crate) revoked: Vec<TopicPartition>,
}

/// A session to be closed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseSessionRequest {
    pub(crate) token: String,
    /// Commits what was read before this cursor, then leaves.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) ack: Option<String>,
}

/// Where the group stands after a session's last acknowledgement.
#[derive(Serialize, ToSchema)]
pub(crate) struct CloseSessionResponse {
    pub(crate) committed: Vec<TopicPartitionOffset>,
}

/// Where a session is to go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeekSessionRequest {
    pub(crate) token: String,
    /// Where it goes on in partitions that are not named.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) after: Option<String>,
    pub(crate) positions: Vec<SeekPosition>,
}

/// Where to go on in a partition.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeekPosition {
    pub(crate) topic: String,
    /// All that the session owns of the topic if absent.
    #[serde(default)]
    #[schema(nullable = false)]
    pub(crate) partition: Option<i32>,
    /// `earliest`, `latest`, an offset, `-N`, `@` and a time of RFC 3339, or a cursor of the topic.
    #[schema(value_type = String)]
    pub(crate) from: TextOrNumber,
}

/// Text, or a whole number in its place.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum TextOrNumber {
    Text(String),
    Number(i64),
}

/// A cursor that reads on elsewhere.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeekSessionResponse {
    /// The `after` of the next poll.
    pub(crate) cursor: String,
    pub(crate) token: String,
    pub(crate) expires_at: String,
    pub(crate) assigned: Vec<TopicPartition>,
    pub(crate) revoked: Vec<TopicPartition>,
}

impl TextOrNumber {
    pub(crate) fn place(&self) -> Result<From, Refused> {
        let text = match self {
            TextOrNumber::Text(text) => text.parse(),
            TextOrNumber::Number(number) => number.to_string().parse(),
        };
        text.map_err(|error: aquifer_gateway::InvalidFrom| {
            Refused::new(Code::InvalidPosition, error.to_string())
        })
    }
}

pub(crate) fn partitions(places: Vec<Place>) -> Vec<TopicPartition> {
    let all = places.into_iter();
    all.map(|(topic, partition)| TopicPartition { topic: topic.to_string(), partition: partition.0 })
        .collect()
}

pub(super) fn offsets(committed: Vec<(Place, aquifer_types::Offset)>) -> Vec<TopicPartitionOffset> {
    let all = committed.into_iter().map(|((topic, partition), offset)| TopicPartitionOffset {
        topic: topic.to_string(),
        partition: partition.0,
        offset: Number(offset.0),
    });
    all.collect()
}

pub(super) fn moment(time: TimestampMs) -> String {
    time_text(time).map_or_else(String::new, |text| text.as_str().to_owned())
}

impl PollSessionRequest {
    pub(super) fn limits(&self) -> Result<ReadLimits, Refused> {
        let asked = AskedLimits { bytes: self.max_bytes, records: self.max_records, wait_ms: self.wait_ms };
        Ok(ReadLimits::of_poll(asked)?)
    }
}

impl BehindRecords {
    pub(super) fn new(held: Held, moved: &[Moved], reconnect: bool) -> BehindRecords {
        let moved = moved.iter().map(|moved| MovedPosition {
            topic: moved.place.0.to_string(),
            partition: moved.place.1.0,
            from: Number(moved.from.0),
            to: Number(moved.to.0),
        });
        BehindRecords {
            cursor: held.cursor,
            token: held.token,
            expires_at: moment(held.expires_at),
            assigned: partitions(held.assigned),
            revoked: partitions(held.revoked),
            moved: moved.collect(),
            reconnect,
        }
    }
}
