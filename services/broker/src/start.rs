//! Starting a broker: recovery, registration, replicas, roles; nothing is served before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aquifer_coordinator::{Coordinator, Surroundings};
use aquifer_disk::Disk;
use aquifer_hotlog::format::{Layout, Meta};
use aquifer_hotlog::{OpenError, Opened, Recovered};
use aquifer_metadata::{
    Answer, BrokerRun, Change, Endpoint, RecoveryVerdict, RegisterBroker, RegisterRefusal, RunRefusal,
    Verdict,
};
use aquifer_net::Listener;
use aquifer_quorum::{ProposeError, Quorum};
use aquifer_replica::Replica;
use aquifer_runtime::{Runtime, Shutdown};
use aquifer_types::{Incarnation, TopicPartition};
use tokio::sync::{Semaphore, watch};

use crate::api::data::FetchSessions;
use crate::broker::Broker;
use crate::producers::{ProducerIds, RecoveredProducers};
use crate::replicas::Replicas;
use crate::settings::Settings;
use crate::tier::{Tier, TierError};

/// How many stored batches are unpacked at a time, each of them to hundreds of mebibytes if its writer meant ill.
const UNPACKING_MAX: usize = 4;

/// What a data directory held.
#[derive(Debug)]
pub struct Found {
    pub meta: Meta,
    layout: Layout,
    opened: Opened,
    producers: RecoveredProducers,
}

/// A broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("register with the quorum: {0}")]
    Propose(#[from] ProposeError),
    #[error("register with the quorum: {0}")]
    Register(#[from] RegisterRefusal),
    #[error("take up roles: {0}")]
    Unfence(#[from] RunRefusal),
    #[error("the quorum gave an answer to another question")]
    Answer,
    #[error(transparent)]
    Tier(#[from] TierError),
    #[error("the cluster has no id")]
    NoCluster,
}

/// Brings a data directory back. Blocks for as long as that takes.
pub fn recover(
    disk: Arc<dyn Disk>,
    layout: Layout,
    meta: Meta,
    settings: aquifer_hotlog::Settings,
    runtime: &Runtime,
) -> Result<Found, OpenError> {
    let mut producers = RecoveredProducers::new(runtime.now().wall);
    let opened = aquifer_hotlog::open(disk, layout.clone(), &meta, settings, runtime, &mut producers)?;
    Ok(Found { meta, layout, opened, producers })
}

impl Broker {
    /// Registers what was found, takes over the replicas the metadata gives this broker, and begins to lead.
    pub async fn start(
        found: Found,
        listeners: &[Arc<Listener>],
        quorum: Arc<Quorum>,
        settings: Settings,
        runtime: &Runtime,
    ) -> Result<Arc<Broker>, StartError> {
        let Found { meta, layout, opened, mut producers } = found;
        let Opened { directory, partitions, clean_epoch, lock } = opened;
        let register = RegisterBroker {
            node: meta.node,
            incarnation: Incarnation(runtime.random_uuid()),
            endpoints: listeners.iter().map(|listener| endpoint(listener)).collect(),
            rack: settings.rack.clone(),
            directories: vec![meta.directory],
            clean_epoch,
            verdicts: verdicts(&partitions),
        };
        let epoch = match quorum.propose(Change::RegisterBroker(register)).await? {
            (_, Answer::BrokerRegistered(registered)) => registered?,
            _ => return Err(StartError::Answer),
        };
        let tier = match settings.tier.clone() {
            Some(settings) => {
                let disk = directory.files().disk().clone();
                Some(Arc::new(Tier::open(settings, (disk, layout.cold()), runtime).await?))
            }
            None => None,
        };
        let run = BrokerRun { node: meta.node, epoch };
        let image = quorum.image();
        let coordinator = Coordinator::new(Surroundings {
            runtime: runtime.clone(),
            directory: directory.clone(),
            checkpoints: layout.groups(),
            image: {
                let quorum = quorum.clone();
                Arc::new(move || quorum.image())
            },
            settings: settings.groups.clone(),
            checkpoint_every_bytes: Surroundings::CHECKPOINT_EVERY_BYTES,
            counters: Arc::default(),
        });
        let broker = Arc::new(Broker {
            run,
            cluster: image.cluster().ok_or(StartError::NoCluster)?,
            incarnation: image.incarnation(),
            directory_id: meta.directory,
            fetch_sessions: FetchSessions::new(settings.fetch_sessions_max),
            unpacking: Semaphore::new(UNPACKING_MAX),
            settings,
            runtime: runtime.clone(),
            quorum,
            directory,
            replicas: Replicas::default(),
            coordinator,
            tier,
            cleanings: Mutex::default(),
            producer_ids: ProducerIds::new(run),
            followed: watch::Sender::new(0),
            stop: Shutdown::default(),
            _lock: lock,
        });
        broker.take_over(partitions, &mut producers, &image);
        if let Some(tier) = &broker.tier {
            broker.recover_tiered_producers(tier, &image).await;
        }
        let follower = broker.follow(image.applied());
        runtime.spawn("follow-metadata", follower);
        runtime.spawn("upkeep", broker.clone().keep_up());
        runtime.spawn("cleaner", broker.clone().keep_clean());
        if let Some(tier) = broker.tier.as_ref().filter(|tier| !tier.settings.is_read_only) {
            broker.look_for_successor(tier).await;
            runtime.spawn("keep-state", broker.clone().keep_state(tier.clone()));
            runtime.spawn("offload", broker.clone().offload(tier.clone()));
            runtime.spawn("collect-garbage", broker.clone().collect_garbage(tier.clone()));
            runtime.spawn("scrub", broker.clone().scrub(tier.clone()));
            runtime.spawn("collect-orphans", broker.clone().collect_orphans(tier.clone()));
        }
        match broker.decide(Change::UnfenceBroker(run)).await? {
            Answer::BrokerUnfenced(unfenced) => unfenced?,
            _ => return Err(StartError::Answer),
        }
        if broker.is_mount() {
            broker.quorum.seal();
        }
        Ok(broker)
    }

    /// Makes a replica of everything found that still exists; what belongs to deleted topics goes.
    fn take_over(
        self: &Arc<Broker>,
        partitions: BTreeMap<TopicPartition, Recovered>,
        producers: &mut RecoveredProducers,
        image: &aquifer_metadata::Image,
    ) {
        for (id, recovered) in partitions {
            let config = image.topic_by_id(id.topic).filter(|_| image.partition(id).is_some());
            let exists = config.is_some();
            let config =
                config.map_or_else(|| image.default_topic_config().clone(), |topic| topic.config().clone());
            let replica = Replica::new(
                self.run.node,
                recovered,
                producers.take(id),
                crate::replicas::replica_config(&config, self.tier.is_some()),
                (&self.directory, &self.runtime),
            );
            if exists {
                self.replicas.insert(replica);
            } else {
                tracing::info!(partition = %id, "its topic was deleted: the files go");
                replica.delete();
            }
        }
    }
}

fn endpoint(listener: &Listener) -> Endpoint {
    Endpoint {
        listener: listener.name.clone(),
        host: listener.advertised.host.clone(),
        port: listener.advertised.port,
        protocol: if listener.tls.is_some() {
            aquifer_metadata::SecurityProtocol::Ssl
        } else {
            aquifer_metadata::SecurityProtocol::Plaintext
        },
    }
}

fn verdicts(partitions: &BTreeMap<TopicPartition, Recovered>) -> Vec<RecoveryVerdict> {
    let told = |(id, recovered): (&TopicPartition, &Recovered)| {
        let verdict = match recovered.verdict {
            aquifer_hotlog::Verdict::Clean => return None,
            aquifer_hotlog::Verdict::TornTail => Verdict::TornTail,
            aquifer_hotlog::Verdict::Corrupt => Verdict::Corrupt,
            aquifer_hotlog::Verdict::Missing => Verdict::Missing,
        };
        Some(RecoveryVerdict { partition: *id, verdict })
    };
    partitions.iter().filter_map(told).collect()
}
