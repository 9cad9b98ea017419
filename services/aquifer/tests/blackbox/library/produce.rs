//! What producers send, and how it comes back.

use std::time::Duration;

use aquifer_client::{Outgoing, Producer, ProducerSettings, Start, partition_of_key};
use aquifer_record::{Compression, Header};
use aquifer_types::{PartitionIndex, TimestampMs};

use super::server::{Stage, read_to_end, values};

pub(super) async fn every_codec_and_kind_of_record_comes_back_as_it_was_sent(stage: Stage) {
    for compression in Compression::ALL {
        let topic = stage.topic(1).await;
        let settings = ProducerSettings { encoding: compression.into(), ..ProducerSettings::default() };
        let producer = Producer::new(stage.client.clone(), settings);
        let headers = [Header { key: b"trace", value: Some(b"1") }, Header { key: b"empty", value: None }];
        let whole = Outgoing {
            topic: &topic,
            key: Some(b"key"),
            value: Some(b"value"),
            headers: &headers,
            timestamp: Some(TimestampMs(1_700_000_000_000)),
            ..Outgoing::default()
        };
        let tombstone = Outgoing { topic: &topic, key: Some(b"key"), ..Outgoing::default() };

        let first = producer.send(whole).await.expect("taken");
        let second = producer.send(tombstone).await.expect("taken");
        let offsets = [first.wait().await.expect("delivered"), second.wait().await.expect("delivered")];
        let records = read_to_end(&mut stage.consumer(&topic, 0..1, Start::Earliest), 1).await;

        assert_eq!(offsets.map(|it| it.offset.map(|offset| offset.0)), [Some(0), Some(1)]);
        let text = |text: &str| Some(text.to_owned());
        let expected_headers = vec![("trace".to_owned(), text("1")), ("empty".to_owned(), None)];
        let expected =
            [(0, text("key"), text("value"), expected_headers), (1, text("key"), None, Vec::new())];
        assert_eq!(records[&0], expected, "{compression:?}");
    }
}

pub(super) async fn partitions_that_come_later_are_noticed(stage: Stage) {
    let topic = stage.topic(1).await;
    let settings =
        ProducerSettings { metadata_age_max: Duration::from_millis(20), ..ProducerSettings::default() };
    let producer = Producer::new(stage.client.clone(), settings);
    stage.client.create_partitions(&topic, 4, false).await.expect("grown");

    let mut number = 0;
    loop {
        let key = number.to_string();
        let record = Outgoing { topic: &topic, key: Some(key.as_bytes()), ..Outgoing::default() };
        let delivered = producer.send(record).await.expect("taken").wait().await.expect("delivered");
        if delivered.partition != PartitionIndex(0) {
            assert_eq!(delivered.partition, partition_of_key(key.as_bytes(), 4));
            return;
        }
        number += 1;
        tokio::task::yield_now().await;
    }
}

pub(super) async fn sequences_survive_a_closed_producer_and_a_new_one(stage: Stage) {
    let topic = stage.topic(2).await;

    for part in 0..3 {
        let producer = Producer::new(
            stage.client.clone(),
            ProducerSettings { batch_bytes_max: 500, ..ProducerSettings::default() },
        );
        for number in 0..500 {
            let value = (part * 500 + number).to_string();
            let partition = Some(PartitionIndex(number % 2));
            let record =
                Outgoing { topic: &topic, partition, value: Some(value.as_bytes()), ..Outgoing::default() };
            producer.send(record).await.expect("taken");
        }
        producer.close().await;
    }

    let records = read_to_end(&mut stage.consumer(&topic, 0..2, Start::Earliest), 2).await;
    for partition in 0..2 {
        let expected: Vec<String> =
            (0..1_500).filter(|number| number % 2 == partition).map(|n| n.to_string()).collect();
        assert_eq!(values(&records, partition), expected);
    }
}
