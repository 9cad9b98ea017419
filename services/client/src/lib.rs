//! A Kafka client for any Kafka 4 cluster: connections, raw batches in and out, producers, consumers, members of groups, and
//! what operators ask.
//!
//! [`Connection`] speaks to one broker and keeps requests in order; [`Client`] finds the broker for a partition and
//! tries again where the protocol says that helps. Record bytes pass through both untouched. [`Producer`],
//! [`Consumer`] and [`GroupConsumer`] stand on a client, each with tasks of its own that end with it.

#![forbid(unsafe_code)]

mod address;
mod admin;
mod append;
mod backoff;
mod classic_assignment;
mod client;
mod cluster;
mod connection;
mod connector;
mod consumer;
mod coordinators;
mod error;
mod fence;
mod fetch;
mod fetch_places;
mod fetch_session;
mod group;
mod inbound;
mod link;
mod offsets;
mod per_leader;
mod pool;
mod produce;
mod producer;
mod secure;
mod versions;

#[cfg(test)]
mod broker_test;
#[cfg(test)]
mod client_test;
#[cfg(test)]
mod connection_test;

pub use address::{Address, InvalidAddress};
pub use admin::{
    Api, Broker, ClusterDescription, Committed, Committer, ConfigChange, ConfigEntry, ConfigSource,
    CreatedTopic, Feature, GroupDescription, GroupKind, GroupListing, GroupMember, LogDir, LogDirReplica,
    NewOffset, NewTopic, PartitionDescription, Quorum, QuorumReplica, Resource, TopicConfig,
    TopicDescription,
};
pub use append::{AppendAnswer, AppendIf, KnownProducer};
pub use backoff::Backoff;
pub use client::{Client, ClientSettings};
pub use cluster::{Leader, Topic};
pub use connection::{Connection, ConnectionSettings, HeadReply, Reply};
pub use connector::{Connecting, Connector, Stream, TcpConnector};
pub use consumer::{
    Chunk, Consumer, ConsumerError, ConsumerSettings, Event, OutOfRange, ReadError, ReadUpto, RecordReader,
    Start,
};
pub use error::{CallError, ClientError, Closed, ConnectError};
pub use fence::{FenceAnswer, FenceIf};
pub use fetch::{FetchSettings, Fetched};
pub use fetch_session::{FetchSession, FromPartition, SessionError, Wanted};
pub use group::{Commit, CommitError, GroupConsumer, GroupSettings, Subscription};
pub use inbound::Frame;
pub use offsets::{Listed, OffsetAt};
pub use per_leader::Place;
pub use produce::{Acks, Produced, ProducerIdentity};
pub use producer::{
    Delivered, Delivery, DeliveryError, Outgoing, Producer, ProducerSettings, SendError, partition_of_key,
};
pub use secure::{Credentials, Mechanism, Roots, SaslError, TlsConnector, TlsError, TlsFiles};
pub use versions::Versions;
