//! `Verified`: a topic under load of verified producers, in this process, while a test does to the node what it likes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aquifer_client::{Address, Client, NewTopic};
use aquifer_loadtest::server::client;
use aquifer_loadtest::verify::{Findings, Ledger, Producing, check, entries, produce};
use aquifer_runtime::{Runtime, Task};

const PARTITIONS: i32 = 4;
/// Longer than any test keeps its node away.
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);

pub(crate) struct Verified {
    /// The producers live and die with it.
    reactor: tokio::runtime::Runtime,
    load: Task<anyhow::Result<u64>>,
    topic: String,
    ledger: PathBuf,
}

impl Verified {
    /// Starts to produce to a topic, created if `configs` are given, and notes in `ledgers` what was acknowledged.
    pub(crate) fn start(
        kafka: &str,
        topic: &str,
        configs: Option<&[(&str, &str)]>,
        ledgers: &Path,
    ) -> Verified {
        let reactor = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a reactor");
        let (runtime, address) = (Runtime::real(), address(kafka));
        let ledger = ledgers.join(topic);
        let noting = Ledger::append_to(&ledger).expect("a ledger");
        let producing = Producing {
            address: address.clone(),
            topic: topic.to_owned(),
            partitions: PARTITIONS,
            producers: 4,
            records_per_batch: 4,
            record_bytes: 150,
            batches_per_second: None,
            run_for: None,
            give_up_after: GIVE_UP_AFTER,
        };
        if let Some(configs) = configs {
            reactor.block_on(create(&client(&runtime, &address), topic, configs));
        }
        let load = {
            let _context = reactor.enter();
            let producers = runtime.clone();
            runtime.spawn("verified load", async move { produce(&producers, &producing, &noting).await })
        };
        Verified { reactor, load, topic: topic.to_owned(), ledger }
    }

    /// Ends the producers in the middle of their work, as a kill would.
    pub(crate) fn stop(mut self) -> Noted {
        let runtime = Runtime::real();
        let early = self.reactor.block_on(async { runtime.timeout(Duration::ZERO, &mut self.load).await });
        assert!(early.is_none(), "{}: a producer ended by itself: {early:?}", self.topic);
        self.reactor.shutdown_background();
        Noted { topic: self.topic, ledger: self.ledger }
    }
}

/// What verified producers noted of a topic.
pub(crate) struct Noted {
    topic: String,
    ledger: PathBuf,
}

impl Noted {
    /// Reads everything: what was acknowledged is there, once, in order. Says how many records that were.
    pub(crate) fn check(&self, kafka: &str) -> u64 {
        let findings = self.findings(kafka);
        assert!(findings.violations.is_empty(), "{}: {findings}", self.topic);
        findings.acknowledged
    }

    /// Reads everything and says what is wrong with it.
    pub(crate) fn findings(&self, kafka: &str) -> Findings {
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a reactor");
        let client = client(&Runtime::real(), &address(kafka));
        let noted = entries(&self.ledger).expect("the ledger");
        reactor.block_on(check(&client, &self.topic, PARTITIONS, &noted)).expect("a readable topic")
    }
}

async fn create(client: &Client, topic: &str, configs: &[(&str, &str)]) {
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let new = NewTopic {
        name: topic.to_owned(),
        partitions: Some(PARTITIONS),
        replication_factor: Some(1),
        configs: configs.collect(),
    };
    client.create_topic(&new).await.expect("the topic is created");
}

fn address(kafka: &str) -> Address {
    kafka.parse().expect("an address")
}
