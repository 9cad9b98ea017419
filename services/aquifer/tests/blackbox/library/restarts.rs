//! Our client at work while its broker is killed and comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aquifer_client::{
    Commit, ConsumerSettings, Event, GroupConsumer, GroupSettings, Outgoing, Producer, ProducerSettings,
    Start, Subscription,
};
use aquifer_loadtest::server::client;
use aquifer_runtime::Runtime;
use aquifer_types::PartitionIndex;

use super::server::{take, values};
use crate::harness::{Node, Ports, data_dir};

const KILLS: usize = 5;
const RECORDS_PER_LIFE: i64 = 400;
const PARTITIONS: i64 = 2;

/// A producer and a member of a group live on while the broker dies again and again in the middle of their work.
#[test]
fn nothing_is_lost_reordered_or_doubled_by_a_producer_whose_broker_is_killed() {
    let (data, ports) = (data_dir(), Ports::free());
    let mut node = Node::start_on(data.path(), ports);
    let runtime = Runtime::real();
    let reactor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    reactor.expect("a reactor").block_on(async {
        let client = client(&runtime, &node.kafka.parse().expect("an address"));
        let topic = aquifer_client::NewTopic {
            name: "lives".to_owned(),
            partitions: Some(2),
            ..aquifer_client::NewTopic::default()
        };
        client.create_topic(&topic).await.expect("created");
        let settings = ProducerSettings { batch_bytes_max: 1_000, ..ProducerSettings::default() };
        let producer = Producer::new(client.clone(), settings);
        let member = GroupSettings {
            start: Start::Earliest,
            commit: Commit::Every(Duration::from_millis(20)),
            ..GroupSettings::new("lives", Subscription::Topics(vec!["lives".to_owned()]))
        };
        let mut member = GroupConsumer::join(client, member, ConsumerSettings::default());

        let mut sent = 0;
        for _ in 0..KILLS {
            let mut deliveries = Vec::new();
            for number in sent..sent + RECORDS_PER_LIFE {
                if number == sent + RECORDS_PER_LIFE / 2 {
                    node.kill();
                    node = Node::start_on(data.path(), ports);
                }
                let value = number.to_string();
                let partition = Some(PartitionIndex((number % PARTITIONS) as i32));
                let record = Outgoing {
                    topic: "lives",
                    partition,
                    value: Some(value.as_bytes()),
                    ..Outgoing::default()
                };
                deliveries.push(producer.send(record).await.expect("taken"));
            }
            for delivery in deliveries {
                delivery.wait().await.expect("delivered in the end");
            }
            sent += RECORDS_PER_LIFE;
        }
        let mut read = BTreeMap::new();
        let mut seen = BTreeSet::new();
        while seen.len() < usize::try_from(sent).expect("few") {
            // A member whose broker dies may be told of offsets it has passed, and reads again from its last commit.
            if let Ok(Event::Records(chunk)) = member.next().await {
                take(&chunk, &mut read);
                seen = read.values().flatten().map(|(_, _, value, _)| value.clone()).collect();
            }
        }
        member.close().await;

        for partition in 0..2 {
            let mut by_offset: Vec<_> = read[&partition].clone();
            by_offset.sort();
            by_offset.dedup();
            let once = BTreeMap::from([(partition, by_offset)]);
            let expected: Vec<String> = (0..sent)
                .filter(|number| number % PARTITIONS == i64::from(partition))
                .map(|n| n.to_string())
                .collect();
            assert_eq!(values(&once, partition), expected);
        }
    });
}
