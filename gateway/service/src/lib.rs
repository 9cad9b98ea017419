//! What the gateway does, whoever asks: records in, records out, topics, and one catalogue of what it refuses.
//!
//! Nothing here knows HTTP or gRPC: `rest` and `grpc` translate. A [`Gateway`] keeps nothing that a request could miss
//! on another node.

#![forbid(unsafe_code)]

mod api_keys;
mod callers;
mod capabilities;
mod chunks;
mod fencing;
mod follow;
mod gateway;
mod groups;
mod instances;
mod limits;
mod listing;
mod numbered;
mod position;
mod principal;
mod produce;
mod producers;
mod reach;
mod read;
mod refusal;
mod room;
mod session;
mod tail;
mod terms;
mod topics;

pub use api_keys::{ApiKeys, InvalidApiKeys};
pub use aquifer_client::{FenceIf, GroupDescription, GroupListing, GroupMember, Place};
pub use capabilities::Capabilities;
pub use chunks::{CHUNK_OFFSETS, Chunk, ChunkFrame, ChunkList, ChunkStream, Keeping, Layout, Wanted};
pub use fencing::fencing_token;
pub use follow::{Follower, Next};
pub use gateway::{Gateway, GatewaySettings};
pub use groups::{Lag, Reset, ResetOffset};
pub use instances::{CommittedAt, InstanceRead, NewInstance, OffsetOf, SHADOW_PREFIX, Seek};
pub use limits::{AskedLimits, ReadLimits};
pub use listing::listed;
pub use position::{From, InvalidFrom, TimeText, time_of, time_text};
pub use principal::{Authenticator, Entrance, Principal};
pub use produce::{Appended, Record, RecordHeader, Sent};
pub use producers::{Once, OpenedProducer, Settled};
pub use read::{Page, Part, Position, Taking};
pub use refusal::{CATALOGUE, Code, Facts, Refusal};
pub use room::{Claim, Room};
pub use session::{Acknowledged, Held, Moved, NewSession, Opened, PollRequest, Polled, Target};
pub use terms::Terms;
pub use topics::{ConfigView, NewTopic, PartitionView, TopicChange, TopicCreated, TopicView};
