//! `Broker`: one registered broker, its run, its addresses and its directories.

use std::collections::BTreeSet;

use aquifer_types::{BrokerEpoch, DirectoryId, Incarnation, NodeId, TopicPartition};

/// What encrypts and authenticates a listener, with Kafka's number of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecurityProtocol {
    Plaintext = 0,
    Ssl = 1,
    SaslPlaintext = 2,
    SaslSsl = 3,
}

/// Where clients of one listener reach a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub listener: String,
    pub host: String,
    pub port: u16,
    pub protocol: SecurityProtocol,
}

/// A broker as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub node: NodeId,
    /// The process that registered last.
    pub incarnation: Incarnation,
    /// The log index of that registration.
    pub epoch: BrokerEpoch,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    pub directories: Vec<DirectoryId>,
    /// A fenced broker leads nothing and is in no in-sync set.
    pub fenced: bool,
    /// Replicas whose recovery found damage: they do not lead until they were in sync again.
    pub untrusted: BTreeSet<TopicPartition>,
}

impl Broker {
    /// The address for callers of this listener.
    #[must_use]
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener == listener)
    }
}
