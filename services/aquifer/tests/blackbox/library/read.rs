//! Where consumers start, and what they do where there is nothing.

use aquifer_client::{ConsumerError, ConsumerSettings, Event, OutOfRange, Outgoing, Start};
use aquifer_types::{Offset, PartitionIndex, TimestampMs};

use super::server::{Stage, read_to_end, values};

const NOON: i64 = 1_700_000_000_000;

pub(super) async fn consumers_start_where_they_are_told(stage: Stage) {
    let topic = stage.topic(1).await;
    let producer = stage.producer();
    for number in 0..10 {
        let value = number.to_string();
        let timestamp = Some(TimestampMs(NOON + number * 1_000));
        let record =
            Outgoing { topic: &topic, value: Some(value.as_bytes()), timestamp, ..Outgoing::default() };
        producer.send(record).await.expect("taken").wait().await.expect("delivered");
    }

    for (start, first) in [
        (Start::Earliest, 0),
        (Start::Offset(Offset(4)), 4),
        (Start::BeforeEnd(3), 7),
        (Start::BeforeEnd(99), 0),
        (Start::Time(TimestampMs(NOON + 5_500)), 6),
        (Start::Time(TimestampMs(NOON + 99_000)), 10),
        (Start::Latest, 10),
    ] {
        let records = read_to_end(&mut stage.consumer(&topic, 0..1, start), 1).await;

        let expected: Vec<String> = (first..10).map(|number| number.to_string()).collect();
        assert_eq!(values(&records, 0), expected, "{start:?}");
    }
}

pub(super) async fn an_offset_that_is_gone_follows_the_policy(stage: Stage) {
    let topic = stage.topic(1).await;
    stage.fill(&topic, 0, 0..10).await;
    let place = (topic.as_str().into(), PartitionIndex(0));
    let cut = stage.client.delete_records(&[(place, Offset(6))]).await;
    assert!(matches!(cut[..], [Ok(Offset(6))]), "{cut:?}");
    let below = Start::Offset(Offset(2));

    for (policy, first) in [(OutOfRange::Earliest, 6), (OutOfRange::Latest, 10)] {
        let settings = ConsumerSettings { out_of_range: policy, ..ConsumerSettings::default() };
        let records = read_to_end(&mut stage.consumer_with(settings, &topic, 0..1, below), 1).await;

        let expected: Vec<String> = (first..10).map(|number: i32| number.to_string()).collect();
        assert_eq!(values(&records, 0), expected, "{policy:?}");
    }
    let mut telling = stage.consumer(&topic, 0..1, below);
    let told = telling.next().await.expect_err("out of range");
    assert!(matches!(told, ConsumerError::OutOfRange { offset: Offset(2), .. }), "{told}");
    telling.assign(&topic, PartitionIndex(0), Start::Offset(Offset(9)));
    assert_eq!(values(&read_to_end(&mut telling, 1).await, 0), ["9"]);
}

pub(super) async fn a_paused_partition_rests_and_goes_on(stage: Stage) {
    let topic = stage.topic(2).await;
    let mut consumer = stage.consumer(&topic, 0..2, Start::Earliest);
    read_to_end(&mut consumer, 2).await;
    consumer.pause(&topic, PartitionIndex(0), true);
    // A fetch that was under way when the partition was paused may still bring something of it.
    stage.fill(&topic, 1, 0..1).await;
    read_to_end(&mut consumer, 1).await;

    stage.fill(&topic, 0, 0..5).await;
    stage.fill(&topic, 1, 1..5).await;
    let others = read_to_end(&mut consumer, 1).await;
    consumer.pause(&topic, PartitionIndex(0), false);
    let mut late = std::collections::BTreeMap::new();
    while values(&late, 0).len() < 5 {
        if let Event::Records(chunk) = consumer.next().await.expect("readable") {
            super::server::take(&chunk, &mut late);
        }
    }

    assert!(values(&others, 0).is_empty(), "{others:?}");
    assert_eq!(values(&late, 0), ["0", "1", "2", "3", "4"]);
    assert_eq!(consumer.positions().values().copied().collect::<Vec<_>>(), [Offset(5), Offset(5)]);
}
