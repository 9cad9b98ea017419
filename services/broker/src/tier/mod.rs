//! The tier at work: uploads, reads, retention over both tiers, the deletion of what nobody may read any
//! more, and the cluster's state for a restore.

mod closing;
mod garbage;
mod given_up;
mod offload;
mod orphans;
mod pace;
mod packing;
mod producers;
mod rate;
mod read;
mod replace;
mod retention;
mod scrub;
mod shipment;
mod sparse;
mod state;
mod undelete;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aquifer_cold::{Cold, Shelf};
use aquifer_disk::Disk;
use aquifer_manifest::Link;
use aquifer_objects::{OpenError, ProbeError, Problem, Store};
use aquifer_runtime::Runtime;
use aquifer_types::TopicPartition;
use tokio::sync::{Mutex, Notify};

pub(crate) use producers::TieredProducers;
pub(crate) use read::{ColdRead, cold_parts, cold_time};
pub(crate) use retention::tiered_start;
use state::Written;
pub(crate) use undelete::Revived;

/// Tasks of the tier that wait for a disk at a time.
const BLOCKING_MAX: usize = 16;

/// Where the tier is, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierSettings {
    pub url: String,
    /// Records older than this are uploaded though their segment is not full.
    pub max_age: Duration,
    /// How long closed records wait for others that are uploaded with them.
    pub upload_delay: Duration,
    /// Bytes a second that uploads may take; none where they take what there is.
    pub upload_rate: Option<u64>,
    /// How often partitions are looked at for what can be uploaded.
    pub interval: Duration,
    /// How long objects stay that no reader should need any more.
    pub grace: Duration,
    /// How soon topics, settings and groups' offsets follow into the bucket.
    pub state_interval: Duration,
    /// How often the bucket is searched for objects that nobody names.
    pub orphan_interval: Duration,
    /// In what time every object is looked at once.
    pub scrub_interval: Duration,
    pub cold: aquifer_cold::Limits,
    /// What parts of objects may take on local disk for those who read them; 0 for none.
    pub disk_bytes_max: u64,
    /// Whether it is another cluster's, which is only looked at.
    pub is_read_only: bool,
}

/// A store that is in use.
#[derive(Debug)]
pub(crate) struct Tier {
    pub(crate) store: Store,
    pub(crate) cold: Cold,
    /// Threads that give way to those who read and write local disk.
    pub(crate) aside: Runtime,
    pub(crate) settings: TierSettings,
    /// Somebody waits for an upload.
    pub(crate) hurry: Notify,
    pub(crate) totals: offload::Totals,
    pub(crate) pace: pace::Pace,
    pub(crate) rate: rate::Rate,
    pub(crate) given_up: given_up::GivenUp,
    pub(crate) scrubbed: scrub::Scrubbed,
    /// Random numbers of uploads that may yet be committed.
    pub(crate) in_flight: std::sync::Mutex<BTreeSet<u64>>,
    /// The last batch of what this run had committed last.
    pub(crate) links: std::sync::Mutex<BTreeMap<TopicPartition, Link>>,
    /// What the tier knows of the producers of logs that are to go on where it ends.
    pub(crate) producers: std::sync::Mutex<TieredProducers>,
    /// Held by who copies objects for a topic that comes back, and by who looks for orphans.
    pub(crate) copying: Mutex<()>,
    /// What of the cluster's state stands in the bucket; held by who writes it.
    pub(crate) state: Mutex<Written>,
    /// The incarnation that the cluster goes on as elsewhere.
    pub(crate) successor: OnceLock<u16>,
}

/// The tier cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TierError {
    #[error("start threads for the tier: {0}")]
    Threads(std::io::Error),
    #[error("tier: {0}")]
    Open(#[from] OpenError),
    #[error("tier '{url}': {source}")]
    Probe { url: String, source: ProbeError },
}

impl TierSettings {
    pub fn new(url: impl Into<String>) -> TierSettings {
        TierSettings {
            url: url.into(),
            max_age: Duration::from_secs(300),
            upload_delay: Duration::ZERO,
            upload_rate: None,
            interval: Duration::from_millis(500),
            grace: Duration::from_secs(15 * 60),
            state_interval: Duration::from_secs(10),
            orphan_interval: Duration::from_secs(6 * 60 * 60),
            scrub_interval: Duration::from_secs(7 * 24 * 60 * 60),
            cold: aquifer_cold::Limits::default(),
            disk_bytes_max: 8 << 30,
            is_read_only: false,
        }
    }
}

impl Tier {
    /// Opens the store and tries it out. One that is away may come back; one that would lose data is refused.
    pub(crate) async fn open(
        settings: TierSettings,
        (disk, folder): (Arc<dyn Disk>, PathBuf),
        runtime: &Runtime,
    ) -> Result<Tier, TierError> {
        // Whatever is packed for the store and asked of it, and checked and kept of its answers, holds up nobody who reads and
        // writes local disk.
        let aside = runtime.aside("tier", threads(), BLOCKING_MAX).map_err(TierError::Threads)?;
        let store = Store::open(&settings.url, &aside).await?;
        let name = runtime.random_uuid().to_string();
        // What is tried out is written.
        let is_probed = store.is_remote() && !settings.is_read_only;
        let probed = if is_probed { store.probe(&name).await } else { Ok(()) };
        match probed {
            Ok(()) => {}
            Err(ProbeError::Refused(_, error)) if error.problem == Problem::Unavailable => {
                tracing::warn!(url = settings.url, %error, "the tier does not answer: uploads wait, cold reads fail; check its address, and that credentials are set");
            }
            Err(source) => return Err(TierError::Probe { url: settings.url, source }),
        }
        let shelf = Shelf::new(disk, folder, settings.disk_bytes_max);
        let cold = Cold::open(store.clone(), settings.cold, Some(shelf), &aside).await;
        Ok(Tier {
            store,
            cold,
            aside,
            rate: rate::Rate::new(settings.upload_rate),
            given_up: given_up::GivenUp::default(),
            settings,
            hurry: Notify::new(),
            totals: offload::Totals::default(),
            pace: pace::Pace::default(),
            scrubbed: scrub::Scrubbed::default(),
            in_flight: std::sync::Mutex::default(),
            links: std::sync::Mutex::default(),
            producers: std::sync::Mutex::default(),
            copying: Mutex::default(),
            state: Mutex::default(),
            successor: OnceLock::new(),
        })
    }
}

/// As many as there are processors, up to what feeds a fast network.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}
