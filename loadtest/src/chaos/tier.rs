//! Tier chaos: a broker and the store that it tiers into are killed again and again under load; nothing acknowledged is lost, and
//! everything is read from the store in the end.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_client::Client;
use aquifer_runtime::{Runtime, Task};

use crate::scenario::History;
use crate::server::{Configured, Programs, Server, client};
use crate::verify::{Ledger, Producing, check, entries, produce};
use crate::work::{Minio, TestTopic, VARIABLES, create_topic, flush, until_cold};

/// Small, so that there are always uploads, commits and deletions under way.
const SEGMENT_BYTES: usize = 256 << 10;
const SETTINGS: &str = "max_age = \"1s\"\nmemory = \"16MiB\"\ncache = \"16MiB\"\nstate_interval = \"1s\"\n";
/// Whoever is down comes back within this time.
const BROKER_OUTAGE_MS_MAX: u64 = 1_000;
const STORE_OUTAGE_MS_MAX: u64 = 5_000;

/// What is done to whom, and for how long.
#[derive(Clone, Debug)]
pub struct TierChaos {
    pub lasts: Duration,
    pub partitions: i32,
    pub producers: usize,
    /// Of each producer, of ten records each.
    pub batches_per_second: f64,
    /// Between two deaths; half of it to one and a half times as long.
    pub pause: Duration,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct TierOutcome {
    pub acknowledged: u64,
    pub broker_killed: u64,
    pub store_killed: u64,
    pub objects: u64,
    pub violations: Vec<String>,
}

/// The broker, its store, and the producers.
struct Scene<'a> {
    runtime: &'a Runtime,
    programs: &'a Programs,
    directory: PathBuf,
    lines: String,
    store: Minio,
    /// None while it is dead.
    server: Option<Server>,
    outcome: TierOutcome,
}

impl Default for TierChaos {
    fn default() -> TierChaos {
        TierChaos {
            lasts: Duration::from_secs(600),
            partitions: 4,
            producers: 4,
            batches_per_second: 100.0,
            pause: Duration::from_secs(3),
        }
    }
}

/// Runs MinIO, a broker that tiers into it, and producers, all of it in `directory`.
pub async fn tier(
    runtime: &Runtime,
    programs: &Programs,
    directory: PathBuf,
    chaos: &TierChaos,
) -> Result<TierOutcome> {
    let store = Minio::start(runtime, programs, &directory, false).await?;
    let lines =
        format!("[topics]\nretention_check = \"1s\"\n[tier]\nurl = \"{}\"\n{SETTINGS}", store.url(None));
    let (server, outcome) = (None, TierOutcome::default());
    let mut scene = Scene { runtime, programs, directory, lines, store, server, outcome };
    scene.start_broker(None).await?;
    let client = scene.client()?;
    let history = History { partitions: chaos.partitions, object_bytes: SEGMENT_BYTES, ..History::default() };
    let topic = create_topic(&client, &history, true).await?;
    let ledger = scene.directory.join("ledger");
    let producing = scene.produce(chaos, &topic, &ledger)?;
    scene.rage(chaos).await?;
    scene.outcome.acknowledged = producing.await.context("the producers failed")??;
    scene.judge(&client, &topic, chaos.partitions, &ledger).await?;
    if let Some(server) = scene.server.take() {
        server.stop(runtime).await?;
    }
    Ok(scene.outcome)
}

impl Scene<'_> {
    fn client(&self) -> Result<Client> {
        let server = self.server.as_ref().context("the broker is dead")?;
        Ok(client(self.runtime, &server.address))
    }

    async fn start_broker(&mut self, port: Option<u16>) -> Result<()> {
        let configured = Configured { lines: &self.lines, variables: &VARIABLES, port };
        let folder = self.directory.join("broker");
        self.server = Some(self.programs.start_configured(self.runtime, &folder, &configured).await?);
        Ok(())
    }

    fn produce(&self, chaos: &TierChaos, topic: &TestTopic, ledger: &Path) -> Result<Task<Result<u64>>> {
        let ledger = Ledger::append_to(ledger)?;
        let producing = Producing {
            address: self.server.as_ref().context("the broker is dead")?.address.clone(),
            topic: topic.name.to_string(),
            partitions: chaos.partitions,
            producers: chaos.producers,
            records_per_batch: 10,
            record_bytes: 256,
            batches_per_second: Some(chaos.batches_per_second),
            run_for: Some(chaos.lasts),
            give_up_after: chaos.lasts.max(Duration::from_secs(60)),
        };
        let runtime = self.runtime.clone();
        Ok(self.runtime.spawn("producers", async move { produce(&runtime, &producing, &ledger).await }))
    }

    fn chance(&self, of: u64) -> u64 {
        self.runtime.random_u64() % of
    }

    /// Kills, for as long as it lasts.
    async fn rage(&mut self, chaos: &TierChaos) -> Result<()> {
        let ends = self.runtime.now().monotonic.plus(chaos.lasts);
        // Each once, however short it is.
        let mut first = [0, 2, 4].into_iter();
        while self.runtime.now().monotonic < ends {
            let pause = chaos.pause.mul_f64(0.5 + self.chance(1_000) as f64 / 1_000.0);
            self.runtime.sleep(pause).await;
            match first.next().unwrap_or_else(|| self.chance(5)) {
                0 | 1 => self.kill_broker().await?,
                2 | 3 => self.kill_store(false).await?,
                // The broker comes back while its store is away.
                _ => self.kill_store(true).await?,
            }
        }
        Ok(())
    }

    async fn kill_broker(&mut self) -> Result<()> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let port = server.address.port;
        server.kill();
        self.outcome.broker_killed += 1;
        self.runtime.sleep(Duration::from_millis(self.chance(BROKER_OUTAGE_MS_MAX))).await;
        self.start_broker(Some(port)).await
    }

    async fn kill_store(&mut self, and_broker: bool) -> Result<()> {
        self.store.go_away();
        self.outcome.store_killed += 1;
        if and_broker {
            self.kill_broker().await?;
        }
        self.runtime.sleep(Duration::from_millis(self.chance(STORE_OUTAGE_MS_MAX))).await;
        self.store.come_back(self.runtime).await
    }

    /// Everything acknowledged is there while some of it is on local disk, and when only the store has it.
    async fn judge(
        &mut self,
        client: &Client,
        topic: &TestTopic,
        partitions: i32,
        ledger: &Path,
    ) -> Result<()> {
        let noted = entries(ledger)?;
        let found = check(client, &topic.name, partitions, &noted).await?;
        self.outcome.violations.extend(found.violations);
        flush(client, topic).await?;
        self.outcome.objects = until_cold(client, topic).await?;
        let found = check(client, &topic.name, partitions, &noted).await?;
        self.outcome.violations.extend(found.violations);
        Ok(())
    }
}

impl fmt::Display for TierOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TierOutcome { acknowledged, broker_killed, store_killed, objects, violations } = self;
        writeln!(f, "{acknowledged} records acknowledged, in {objects} objects")?;
        writeln!(f, "the broker killed {broker_killed} times, its store {store_killed} times")?;
        if violations.is_empty() {
            return write!(f, "every record was read, from local disk and from the store");
        }
        writeln!(f, "{} violations:", violations.len())?;
        violations.iter().take(50).try_for_each(|violation| writeln!(f, "  {violation}"))
    }
}
