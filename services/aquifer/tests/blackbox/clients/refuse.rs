//! What is not there: unknown topics, topics that appear by themselves, transactions.

use anyhow::{Result, ensure};
use serde_json::json;

use super::client::Record;
use super::scene::{Scene, failed, refused};
use super::table::Column;
use super::{Capability, start};
use crate::harness::{Node, data_dir};

const UNKNOWN_TOPIC: i64 = 3;

pub(super) const CAPABILITIES: &[Capability] = &[
    (Column::Produce, "unknown topics are refused", unknown_topic),
    (Column::Produce, "topics appear by themselves where that is on", auto_creation),
    (Column::Produce, "transactions are refused", transactions),
];

fn unknown_topic(scene: &mut Scene) -> Result<()> {
    refused(scene.ask(&json!({ "op": "partitions", "topic": "nowhere" })), &[UNKNOWN_TOPIC])?;
    // Producers ask for metadata until they give up, and tell that in words of their own.
    let records = [Record::new("lost", "lost")];
    failed(scene.ask(&json!({ "op": "produce", "topic": "nowhere", "records": records })))?;
    refused(scene.ask(&json!({ "op": "partitions", "topic": "nowhere" })), &[UNKNOWN_TOPIC])
}

fn auto_creation(scene: &mut Scene) -> Result<()> {
    let data = data_dir();
    let node = Node::start(data.path());
    let Some(mut client) = start(scene.name, &node.kafka) else { return Ok(()) };
    let records = [Record::new("first", "of its topic")];

    client.ask(&json!({ "op": "produce", "topic": "appearing", "records": records }))?;

    let told = client.ask(&json!({ "op": "ends", "topic": "appearing" }))?;
    ensure!(told == json!({ "beginning": 0, "end": 1 }), "{told}");
    Ok(())
}

fn transactions(scene: &mut Scene) -> Result<()> {
    // librdkafka asks for a coordinator until its time is over, whatever the broker says; the others tell the reason.
    failed(scene.ask(&json!({ "op": "transaction", "id": "any" })))
}
