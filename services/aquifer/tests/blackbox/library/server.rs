//! The servers that scenes are played on, and what every scene has at hand.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aquifer_client::{
    Client, Consumer, ConsumerSettings, Event, NewTopic, Outgoing, Producer, ProducerSettings, RecordReader,
    Start,
};
use aquifer_loadtest::server::{Kind, Programs, client};
use aquifer_runtime::Runtime;
use aquifer_types::PartitionIndex;

use super::{group, operate, produce, read};
use crate::harness::{data_dir, skip_without};

/// No scene takes longer, however slow the machine.
const SCENE_LIMIT: Duration = Duration::from_secs(120);

/// What a scene is played with.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) kind: Kind,
}

type Scene = fn(Stage) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! scenes {
    ($($module:ident::$scene:ident),* $(,)?) => {
        [$((stringify!($scene), (|stage| Box::pin($module::$scene(stage))) as Scene)),*]
    };
}

fn play_all(kind: Kind) {
    let scenes = scenes![
        produce::every_codec_and_kind_of_record_comes_back_as_it_was_sent,
        produce::sequences_survive_a_closed_producer_and_a_new_one,
        produce::partitions_that_come_later_are_noticed,
        read::consumers_start_where_they_are_told,
        read::an_offset_that_is_gone_follows_the_policy,
        read::a_paused_partition_rests_and_goes_on,
        operate::topics_are_made_shown_changed_and_deleted,
        operate::configs_are_set_and_unset,
        operate::the_cluster_says_who_it_is,
        operate::records_are_deleted_up_to_an_offset,
        group::members_share_partitions_and_take_over_where_others_stopped,
        group::what_a_member_is_busy_with_is_not_given_to_another,
        group::a_named_instance_keeps_its_partitions_over_a_restart,
        group::a_pattern_follows_topics_that_come,
        group::operators_see_and_move_offsets_of_groups_at_rest,
    ];
    let runtime = Runtime::real();
    let reactor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let directory = data_dir();
    reactor.expect("a reactor").block_on(async {
        let server = programs().start(&runtime, kind, directory.path()).await.expect("a server");
        let mut failed = Vec::new();
        for (name, scene) in scenes {
            eprintln!("{kind:?}: {name}");
            let stage = Stage { client: client(&runtime, &server.address), kind };
            let played = runtime.spawn("scene", async move { scene(stage).await });
            let ended = runtime.timeout(SCENE_LIMIT, played).await;
            match ended {
                Some(Some(())) => {}
                Some(None) => failed.push(name.to_owned()),
                None => failed.push(format!("{name} (not over in time)")),
            }
        }
        server.stop(&runtime).await.expect("the server stops");
        assert!(failed.is_empty(), "{kind:?}: {failed:?}");
    });
}

#[test]
fn our_client_works_with_this_program() {
    play_all(Kind::Aquifer);
}

#[test]
fn our_client_works_with_apache_kafka() {
    if ["java", "mvn"].iter().any(|tool| skip_without(tool)) {
        return;
    }
    play_all(Kind::Kafka);
}

fn programs() -> Programs {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Programs {
        aquifer: PathBuf::from(env!("CARGO_BIN_EXE_aquifer")),
        kafka: root.join("loadtest/peers/kafka.sh"),
        minio: None,
        running: None,
    }
}

/// A record as it was read: offset, key, value, headers.
pub(super) type Read = (i64, Option<String>, Option<String>, Vec<(String, Option<String>)>);

impl Stage {
    /// A topic of its own.
    pub(super) async fn topic(&self, partitions: i32) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("scene-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let topic = NewTopic { name: name.clone(), partitions: Some(partitions), ..NewTopic::default() };
        self.client.create_topic(&topic).await.expect("created");
        name
    }

    pub(super) fn producer(&self) -> Producer {
        Producer::new(self.client.clone(), ProducerSettings::default())
    }

    /// Sends numbered values to one partition.
    pub(super) async fn fill(&self, topic: &str, partition: i32, values: std::ops::Range<i64>) {
        let producer = self.producer();
        let partition = Some(PartitionIndex(partition));
        let mut last = None;
        for number in values {
            let value = number.to_string();
            let record = Outgoing { topic, partition, value: Some(value.as_bytes()), ..Outgoing::default() };
            last = Some(producer.send(record).await.expect("taken"));
        }
        producer.flush().await;
        if let Some(last) = last {
            last.wait().await.expect("delivered");
        }
    }

    pub(super) fn consumer(&self, topic: &str, partitions: std::ops::Range<i32>, start: Start) -> Consumer {
        self.consumer_with(ConsumerSettings::default(), topic, partitions, start)
    }

    pub(super) fn consumer_with(
        &self,
        settings: ConsumerSettings,
        topic: &str,
        partitions: std::ops::Range<i32>,
        start: Start,
    ) -> Consumer {
        let consumer = Consumer::new(self.client.clone(), settings);
        for partition in partitions {
            consumer.assign(topic, PartitionIndex(partition), start);
        }
        consumer
    }
}

/// Reads until the end of `ends` partitions has been told; records by partition.
pub(super) async fn read_to_end(consumer: &mut Consumer, ends: usize) -> BTreeMap<i32, Vec<Read>> {
    let (mut records, mut ended) = (BTreeMap::new(), std::collections::BTreeSet::new());
    while ended.len() < ends {
        match consumer.next().await.expect("readable") {
            Event::Records(chunk) => take(&chunk, &mut records),
            Event::End { partition, .. } => {
                ended.insert(partition);
            }
            other => panic!("{other:?}"),
        }
    }
    records
}

pub(super) fn take(chunk: &aquifer_client::Chunk, records: &mut BTreeMap<i32, Vec<Read>>) {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let read = RecordReader::default().read(chunk, |record| {
        let headers = record
            .headers
            .map(|header| (String::from_utf8_lossy(header.key).into_owned(), text(header.value)));
        let read = (record.offset.0, text(record.key), text(record.value), headers.collect());
        records.entry(chunk.partition.0).or_default().push(read);
        std::ops::ControlFlow::<()>::Continue(())
    });
    assert!(read.expect("whole").is_continue());
}

/// The values alone, of one partition.
pub(super) fn values(records: &BTreeMap<i32, Vec<Read>>, partition: i32) -> Vec<String> {
    let records = records.get(&partition).map(Vec::as_slice).unwrap_or_default();
    records.iter().map(|(_, _, value, _)| value.clone().unwrap_or_default()).collect()
}
