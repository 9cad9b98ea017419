//! Administering: topics, partitions, configs, records, the cluster.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Capability;
use super::produce::repetitive;
use super::scene::{Scene, refused, same};
use super::table::Column;

const UNKNOWN_TOPIC: i64 = 3;
const EXISTS: i64 = 36;
const INVALID_PARTITIONS: i64 = 37;
const INVALID_CONFIG: i64 = 40;
const INVALID_TOPIC: i64 = 17;

pub(super) const CAPABILITIES: &[Capability] = &[
    (Column::Admin, "create a topic", create),
    (Column::Admin, "what cannot be created is refused", create_refused),
    (Column::Admin, "create partitions", create_partitions),
    (Column::Admin, "describe and alter configs", configs),
    (Column::Admin, "delete records", delete_records),
    (Column::Admin, "delete a topic", delete_topic),
    (Column::Admin, "describe the cluster", describe_cluster),
];

fn create(scene: &mut Scene) -> Result<()> {
    let configs = json!({ "retention.ms": "123456", "cleanup.policy": "delete" });
    scene.ask(&json!({ "op": "create_topic", "topic": "created", "partitions": 3, "configs": configs }))?;

    let told = scene.ask(&json!({ "op": "partitions", "topic": "created" }))?;
    ensure!(told["partitions"] == 3, "{told}");
    Ok(())
}

fn create_refused(scene: &mut Scene) -> Result<()> {
    let ask = |topic: &str, partitions: i32, configs: &serde_json::Value| json!({ "op": "create_topic", "topic": topic, "partitions": partitions, "configs": configs });
    let none = json!({});
    scene.ask(&ask("twice", 1, &none))?;
    refused(scene.ask(&ask("twice", 1, &none)), &[EXISTS])?;
    refused(scene.ask(&ask("no partitions", 1, &none)), &[INVALID_TOPIC])?;
    refused(scene.ask(&ask("odd", 1, &json!({ "no.such.config": "1" }))), &[INVALID_CONFIG])?;
    refused(scene.ask(&ask("odd", 1, &json!({ "retention.ms": "soon" }))), &[INVALID_CONFIG])
}

fn create_partitions(scene: &mut Scene) -> Result<()> {
    scene.create("growing", 2)?;
    scene.ask(&json!({ "op": "create_partitions", "topic": "growing", "partitions": 5 }))?;

    let told = scene.ask(&json!({ "op": "partitions", "topic": "growing" }))?;
    ensure!(told["partitions"] == 5, "{told}");
    let records = repetitive(3);
    scene.produce(json!({ "topic": "growing", "partition": 4 }), &records, 0)?;
    same(&scene.read("growing", 4, 0, 3)?, &records, 0)?;
    let fewer = json!({ "op": "create_partitions", "topic": "growing", "partitions": 4 });
    refused(scene.ask(&fewer), &[INVALID_PARTITIONS])
}

fn configs(scene: &mut Scene) -> Result<()> {
    let describe = json!({ "op": "describe_configs", "topic": "configured" });
    let alter = |topic: &str, value: &str| json!({ "op": "alter_config", "topic": topic, "name": "retention.ms", "value": value });
    scene.create("configured", 1)?;
    let before = scene.ask(&describe)?;
    ensure!(before["cleanup.policy"] == "delete" && before["retention.ms"] == "604800000", "{before}");

    scene.ask(&alter("configured", "1000000"))?;

    let after = scene.ask(&describe)?;
    ensure!(after["retention.ms"] == "1000000" && after["cleanup.policy"] == "delete", "{after}");
    refused(scene.ask(&alter("configured", "never")), &[INVALID_CONFIG])?;
    refused(scene.ask(&alter("nowhere", "1000000")), &[UNKNOWN_TOPIC])
}

fn delete_records(scene: &mut Scene) -> Result<()> {
    let records = repetitive(30);
    scene.create("shortened", 1)?;
    scene.produce(json!({ "topic": "shortened" }), &records, 0)?;

    scene.ask(&json!({ "op": "delete_records", "topic": "shortened", "before": 12 }))?;

    let told = scene.ask(&json!({ "op": "ends", "topic": "shortened" }))?;
    ensure!(told == json!({ "beginning": 12, "end": 30 }), "{told}");
    same(&scene.read("shortened", 0, 12, 18)?, &records[12..], 12)
}

fn delete_topic(scene: &mut Scene) -> Result<()> {
    scene.create("deleted", 2)?;
    scene.produce(json!({ "topic": "deleted" }), &repetitive(3), 0)?;
    let delete = json!({ "op": "delete_topic", "topic": "deleted" });
    scene.ask(&delete)?;

    refused(scene.ask(&json!({ "op": "partitions", "topic": "deleted" })), &[UNKNOWN_TOPIC])?;
    refused(scene.ask(&delete), &[UNKNOWN_TOPIC])?;
    // Another topic by the same name starts from nothing.
    scene.create("deleted", 1)?;
    let told = scene.ask(&json!({ "op": "ends", "topic": "deleted" }))?;
    ensure!(told == json!({ "beginning": 0, "end": 0 }), "{told}");
    let records = repetitive(2);
    scene.produce(json!({ "topic": "deleted" }), &records, 0)?;
    same(&scene.read("deleted", 0, 0, 2)?, &records, 0)
}

fn describe_cluster(scene: &mut Scene) -> Result<()> {
    let told = scene.ask(&json!({ "op": "describe_cluster" }))?;
    ensure!(told["nodes"] == json!([0]) && told["controller"] == 0, "{told}");
    ensure!(told["cluster"].as_str().is_some_and(|id| id.len() == 22), "{told}");
    Ok(())
}
