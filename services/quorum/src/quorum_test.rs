//! A quorum of one: what it agreed on survives stops, power cuts and the shortening of its log.

use std::path::PathBuf;
use std::sync::Arc;

use aquifer_disk::{CrashChoice, Disk, RealDisk, SimDisk};
use aquifer_metadata::{
    Answer, Change, Endpoint, Image, NewTopic, RegisterBroker, SecurityProtocol, TopicKey,
};
use aquifer_runtime::Runtime;
use aquifer_types::{
    BrokerEpoch, ClusterId, DirectoryId, Incarnation, NodeId, TimestampMs, TopicId, TopicName, Uuid,
};

use crate::{Beginning, COMMAND_BYTES_MAX, ProposeError, Quorum, Settings, StartError, Update};

const CLUSTER: ClusterId = ClusterId(Uuid::from_bytes([7; 16]));

fn settings(beginning: Beginning) -> Settings {
    let directory = DirectoryId(Uuid::from_bytes([9; 16]));
    Settings::new(NodeId(1), directory, PathBuf::from("/data/raft"), beginning)
}

fn new() -> Settings {
    settings(Beginning::New { cluster: CLUSTER })
}

async fn start(disk: &SimDisk, settings: Settings) -> Result<Quorum, StartError> {
    let runtime = Runtime::simulated(1, TimestampMs(1_700_000_000_000));
    Quorum::start(settings, Arc::new(disk.clone()), runtime).await
}

fn registration(incarnation: u8) -> Change {
    Change::RegisterBroker(RegisterBroker {
        node: NodeId(1),
        incarnation: Incarnation(Uuid::from_bytes([incarnation; 16])),
        endpoints: vec![Endpoint {
            listener: "client".to_owned(),
            host: "localhost".to_owned(),
            port: 9092,
            protocol: SecurityProtocol::Plaintext,
        }],
        rack: None,
        directories: vec![DirectoryId(Uuid::from_bytes([9; 16]))],
        clean_epoch: None,
        verdicts: Vec::new(),
    })
}

async fn tick(quorum: &Quorum, count: u64) -> u64 {
    let mut last = 0;
    for _ in 0..count {
        (last, _) = quorum.propose(Change::Tick).await.expect("is applied");
    }
    last
}

/// Everything but how far the log went: a start adds entries of its own.
fn content(image: &Image) -> (Option<ClusterId>, Vec<String>, usize) {
    let topics = image.topics().map(|topic| topic.name().to_string()).collect();
    (image.cluster(), topics, image.brokers().count())
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_after_its_effect_is_in_the_image() {
    let quorum = start(&SimDisk::default(), new()).await.expect("starts");

    let (index, answer) = quorum.propose(registration(1)).await.expect("is applied");

    let epoch = BrokerEpoch(i64::try_from(index).expect("small"));
    assert_eq!(answer, Answer::BrokerRegistered(Ok(epoch)));
    assert_eq!(quorum.image().cluster(), Some(CLUSTER));
    assert_eq!(quorum.image().applied(), index);
    assert!(quorum.image().time() >= TimestampMs(1_700_000_000_000));
    assert_eq!(quorum.metrics().leader, Some(NodeId(1)));
    quorum.shutdown().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn a_quorum_goes_on_from_the_state_that_was_planted_whatever_is_cut() {
    let before = start(&SimDisk::default(), new()).await.expect("starts");
    let applied = tick(&before, 50).await;
    let state = aquifer_metadata::decode_snapshot(&aquifer_metadata::encode_snapshot(&before.image()));
    before.shutdown().await.expect("stops");
    let disk = SimDisk::default();
    let folder = settings(Beginning::Existing).folder;
    let plant = || {
        let state = state.as_ref().expect("reads back");
        crate::plant(Arc::new(disk.clone()), folder.clone(), NodeId(1), state)
    };
    plant().expect("planted");
    assert!(matches!(plant(), Err(StartError::Planted(_))));

    let quorum = start(&disk, settings(Beginning::Existing)).await.expect("starts");
    assert_eq!(quorum.image().cluster(), Some(CLUSTER));
    assert!(tick(&quorum, 1).await > applied, "indexes go on");
    quorum.propose(registration(1)).await.expect("is applied");
    let known = content(&quorum.image());
    drop(quorum);
    let disk = disk.crash(&mut CrashChoice::seeded(1));
    let quorum = start(&disk, settings(Beginning::Existing)).await.expect("starts again");
    assert_eq!(content(&quorum.image()), known);
    quorum.shutdown().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_survives_a_stop_and_a_power_cut() {
    let mut disk = SimDisk::default();
    let quorum = start(&disk, new()).await.expect("starts");
    quorum.propose(registration(1)).await.expect("is applied");
    let before = content(&quorum.image());
    quorum.shutdown().await.expect("stops");

    for life in 2..40 {
        let quorum = start(&disk, settings(Beginning::Existing)).await.expect("starts again");
        assert_eq!(content(&quorum.image()), before);
        let (index, _) = quorum.propose(registration(life)).await.expect("is applied");
        let epoch = quorum.image().broker(NodeId(1)).map(|broker| broker.epoch.0);
        assert_eq!(epoch, i64::try_from(index).ok());
        if life % 2 == 0 {
            disk = disk.crash(&mut CrashChoice::seeded(u64::from(life)));
        } else {
            quorum.shutdown().await.expect("stops");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_is_cut_off_below_the_older_of_two_snapshots() {
    let disk = SimDisk::default();
    let small = |beginning| Settings { snapshot_entries: 50, ..settings(beginning) };
    let quorum = start(&disk, small(Beginning::New { cluster: CLUSTER })).await.expect("starts");
    quorum.propose(registration(1)).await.expect("is applied");
    tick(&quorum, 400).await;
    // Snapshots are made and the log is cut off while nobody waits.
    while quorum.metrics().purged.is_none_or(|purged| purged < 100) {
        tokio::task::yield_now().await;
    }
    let last = tick(&quorum, 3).await;
    let metrics = quorum.metrics();
    assert!(metrics.purged < metrics.snapshot && metrics.snapshot <= Some(last), "{metrics:?}");
    let before = content(&quorum.image());
    quorum.shutdown().await.expect("stops");

    let again = start(&disk, small(Beginning::Existing)).await.expect("starts again");
    assert_eq!(content(&again.image()), before);
    assert!(again.image().applied() >= last);
    again.shutdown().await.expect("stops");

    for entry in Disk::list(&disk, &settings(Beginning::Existing).folder).expect("lists") {
        if entry.name.ends_with(".snapshot") {
            disk.remove_file(&settings(Beginning::Existing).folder.join(entry.name)).expect("removes");
        }
    }
    let refused = start(&disk, small(Beginning::Existing)).await;
    assert!(matches!(refused, Err(StartError::SnapshotMissing { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_long_log_of_large_commands_makes_snapshots_and_goes_on() {
    let disk = SimDisk::default();
    let quorum = start(&disk, Settings { snapshot_bytes: 2 << 20, ..new() }).await.expect("starts");
    // Deleting what is not there is a command of any size that leaves nothing behind.
    let large: Vec<TopicKey> =
        (0..20_000).map(|_| TopicKey::Id(TopicId(Uuid::from_bytes([1; 16])))).collect();
    for _ in 0..120 {
        let mut answer = quorum.propose(Change::DeleteTopics(large.clone())).await;
        while answer == Err(ProposeError::Busy) {
            tokio::task::yield_now().await;
            answer = quorum.propose(Change::DeleteTopics(large.clone())).await;
        }
        answer.expect("is applied");
    }
    assert!(quorum.metrics().purged.is_some());
    quorum.shutdown().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn a_directory_of_a_cluster_without_its_log_is_refused() {
    let refused = start(&SimDisk::default(), settings(Beginning::Existing)).await;

    assert!(matches!(refused, Err(StartError::LogMissing)));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_cut_off_anywhere_can_be_repeated() {
    let whole = SimDisk::default();
    start(&whole, new()).await.expect("starts").shutdown().await.expect("stops");
    for cut in 0..whole.operations() {
        let disk = SimDisk::default();
        disk.lose_power_after(cut);
        if let Ok(quorum) = start(&disk, new()).await {
            // Without power not even stopping succeeds.
            let _failed = quorum.shutdown().await;
        }

        let after = disk.crash(&mut CrashChoice::seeded(cut));
        let quorum = start(&after, new()).await.expect("starts");

        assert_eq!(quorum.image().cluster(), Some(CLUSTER), "cut after {cut} operations");
        quorum.shutdown().await.expect("stops");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_too_large_is_refused_before_it_is_written() {
    let quorum = start(&SimDisk::default(), new()).await.expect("starts");
    let topic = NewTopic {
        name: TopicName::new("t").expect("a name"),
        id: TopicId(Uuid::from_bytes([1; 16])),
        partitions: vec![Default::default(); COMMAND_BYTES_MAX + 1],
        replication_default: false,
        configs: Vec::new(),
    };

    let refused = quorum.propose(Change::CreateTopics(vec![topic])).await;

    assert!(matches!(refused, Err(ProposeError::TooLarge { max: COMMAND_BYTES_MAX, .. })));
    quorum.shutdown().await.expect("stops");
}

#[tokio::test(start_paused = true)]
async fn a_failed_flush_stops_the_quorum() {
    let disk = SimDisk::default();
    let quorum = start(&disk, new()).await.expect("starts");

    disk.lose_power_after(0);
    let answer = quorum.propose(Change::Tick).await;

    assert!(answer.is_err());
    assert!(quorum.failed().await.contains("power") || !quorum.failed().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_replays_to_the_same_image() {
    let quorum = start(&SimDisk::default(), new()).await.expect("starts");
    let mut subscription = quorum.subscribe(None);
    let Some(Update::Snapshot(first)) = subscription.next().await else { panic!("an image comes first") };
    let bytes = aquifer_metadata::encode_snapshot(&first);
    let mut replayed = aquifer_metadata::decode_snapshot(&bytes).expect("decodes");

    let (last, _) = quorum.propose(registration(1)).await.expect("is applied");
    while replayed.image().applied() < last {
        let Some(Update::Commands { commands, .. }) = subscription.next().await else { panic!("commands") };
        for applied in commands {
            let mut deltas = Vec::new();
            replayed.apply(applied.index, &applied.command, &mut deltas);
            assert_eq!(deltas, *applied.deltas);
        }
    }

    assert_eq!(*replayed.image(), quorum.image());
    quorum.shutdown().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_on_a_real_disk_with_a_thread_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |beginning| Settings { folder: folder.path().join("raft"), ..settings(beginning) };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let quorum = Quorum::start(at(Beginning::New { cluster: CLUSTER }), Arc::clone(&disk), Runtime::real())
        .await
        .expect("starts");
    let quorum = Arc::new(quorum);
    let mut proposals = Vec::new();
    for _ in 0..50 {
        let quorum = Arc::clone(&quorum);
        let runtime = Runtime::real();
        proposals.push(runtime.spawn("propose", async move { quorum.propose(Change::Tick).await }));
    }
    let mut indexes = Vec::new();
    for proposal in proposals {
        indexes.push(proposal.await.expect("no panic").expect("is applied").0);
    }
    indexes.sort_unstable();
    indexes.dedup();
    assert_eq!(indexes.len(), 50);
    Arc::into_inner(quorum).expect("the last handle").shutdown().await.expect("stops");

    let again = Quorum::start(at(Beginning::Existing), disk, Runtime::real()).await.expect("starts again");
    assert!(again.image().applied() >= indexes[49]);
    again.shutdown().await.expect("stops");
}
