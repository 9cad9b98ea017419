//! `ApacheKafka`: a broker of somebody else's, for gateways to stand in front of.

use aquifer_loadtest::server::{Kind, Server};
use aquifer_runtime::Runtime;

use crate::harness::{block_on, data_dir, programs, skip_without};

/// A running broker, ended when dropped.
pub(super) struct ApacheKafka {
    server: Server,
    _directory: tempfile::TempDir,
}

impl ApacheKafka {
    /// `None` where it cannot be had.
    pub(super) fn start() -> Option<ApacheKafka> {
        if ["java", "mvn"].iter().any(|tool| skip_without(tool)) {
            return None;
        }
        let directory = data_dir();
        let started = async { programs().start(&Runtime::real(), Kind::Kafka, directory.path()).await };
        let server = block_on(started).expect("Apache Kafka starts");
        Some(ApacheKafka { server, _directory: directory })
    }

    pub(super) fn address(&self) -> String {
        self.server.address.to_string()
    }
}
