//! What only object storage has, over HTTP: it comes to the first request that asks.

use aquifer_record::batches;
use serde_json::Value;

use super::http::Http;
use crate::harness::{Node, data_dir, skip_without};
use crate::tier::{FLUSH, TOPIC, create, lines, partition, produce};

#[test]
fn records_and_chunks_from_the_bucket_come_at_the_first_request() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let node = Node::start(data.path());
    create(&node, &[]);
    for round in 0..3 {
        produce(&node, &lines(round), "none");
    }
    let state = partition(&node, FLUSH);
    assert_eq!(state.tier_end, state.high_watermark, "everything is in the tier");
    node.kill();

    // A fresh process has nothing of it in memory, and these do not wait.
    let node = Node::start(data.path());
    let http = Http::at(&node.http);
    let page =
        http.get(&format!("/v1/topics/{TOPIC}/partitions/0/records?from=earliest&max_records=1")).expect(200);
    let first = lines(0).lines().next().expect("a line").to_owned();
    assert_eq!(page["records"][0]["value_text"], Value::from(first));
    let end = http.get(&format!("/v1/topics/{TOPIC}/partitions/0/records?from=latest")).expect(200);
    assert_eq!(end["records"], Value::Array(Vec::new()), "nothing is there, and nothing is waited for");

    let id = http.get(&format!("/v1/topics/{TOPIC}")).expect(200)["id"].as_str().expect("an id").to_owned();
    let chunk = http.get(&format!("/v1/topic-ids/{id}/partitions/0/chunks/0"));
    assert_eq!(chunk.status, 200);
    let found: Vec<_> = batches(&chunk.body).collect();
    assert!(found.iter().all(|batch| batch.checksum_holds()));
    assert_eq!(found.first().map(|batch| batch.header.base_offset.0), Some(0));
    assert!(found.last().is_some_and(|batch| batch.header.end().0 >= 8192));
}
