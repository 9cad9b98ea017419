//! Writing: codecs, idempotence, keys, headers, nulls, sizes, partitions.

use anyhow::{Result, ensure};
use aquifer_record::Compression;
use serde_json::json;

use super::Capability;
use super::client::Record;
use super::scene::{Scene, refused, same};
use super::table::Column;

pub(super) const CAPABILITIES: &[Capability] = &[
    (Column::Produce, "produce uncompressed", |scene| codec(scene, "none", Compression::None)),
    (Column::Codecs, "produce gzip", |scene| codec(scene, "gzip", Compression::Gzip)),
    (Column::Codecs, "produce snappy", |scene| codec(scene, "snappy", Compression::Snappy)),
    (Column::Codecs, "produce lz4", |scene| codec(scene, "lz4", Compression::Lz4)),
    (Column::Codecs, "produce zstd", |scene| codec(scene, "zstd", Compression::Zstd)),
    (Column::Idempotence, "idempotent producer", idempotent),
    (Column::Produce, "keys, null values, empty values", keys_and_nulls),
    (Column::Headers, "headers", headers),
    (Column::Produce, "a record of 900 KB", large),
    (Column::Produce, "a record over max.message.bytes is refused", too_large),
    (Column::Produce, "many partitions", many_partitions),
];

/// Records that compress well and differ.
pub(super) fn repetitive(count: usize) -> Vec<Record> {
    (0..count).map(|n| Record::new(format!("k{n}"), format!("value {n} ").repeat(8))).collect()
}

fn codec(scene: &mut Scene, name: &str, codec: Compression) -> Result<()> {
    let (topic, records) = (format!("codec-{name}"), repetitive(300));
    scene.create(&topic, 1)?;

    scene.produce(json!({ "topic": topic, "codec": name }), &records, 0)?;

    same(&scene.read(&topic, 0, 0, records.len())?, &records, 0)?;
    let stored = scene.stored(&topic)?;
    let told = stored.iter().all(|batch| batch.attributes.compression() == Some(codec));
    ensure!(!stored.is_empty() && told, "stored otherwise than as {name}");
    Ok(())
}

fn idempotent(scene: &mut Scene) -> Result<()> {
    let records = repetitive(1000);
    scene.create("idempotent", 1)?;

    let request = json!({ "topic": "idempotent", "idempotent": true, "batch_bytes": 1000 });
    scene.produce(request, &records, 0)?;

    same(&scene.read("idempotent", 0, 0, records.len())?, &records, 0)?;
    let stored = scene.stored("idempotent")?;
    ensure!(stored.len() > 20, "only {} batches: sequences hardly count", stored.len());
    ensure!(stored.iter().all(|batch| batch.producer_id.0 >= 0), "batches without a producer");
    Ok(())
}

fn keys_and_nulls(scene: &mut Scene) -> Result<()> {
    let records = [
        Record::new("key", "value"),
        Record { key: None, ..Record::new("", "no key") },
        Record { value: None, ..Record::new("no value", "") },
        Record::new("empty value", ""),
        Record::new("ключ", "значение ✓"),
    ];
    scene.create("keys", 1)?;

    scene.produce(json!({ "topic": "keys" }), &records, 0)?;

    same(&scene.read("keys", 0, 0, records.len())?, &records, 0)
}

fn headers(scene: &mut Scene) -> Result<()> {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
    };
    let records = [
        Record { headers: pairs(&[("trace", "1"), ("kind", "a b")]), ..Record::new("two", "x") },
        Record::new("none", "y"),
        Record { headers: pairs(&[("empty", "")]), ..Record::new("an empty one", "z") },
    ];
    scene.create("headers", 1)?;

    scene.produce(json!({ "topic": "headers" }), &records, 0)?;

    same(&scene.read("headers", 0, 0, records.len())?, &records, 0)
}

fn large(scene: &mut Scene) -> Result<()> {
    let records = [Record::new("large", "L".repeat(900_000))];
    scene.create("large", 1)?;

    scene.produce(json!({ "topic": "large" }), &records, 0)?;

    same(&scene.read("large", 0, 0, 1)?, &records, 0)
}

fn too_large(scene: &mut Scene) -> Result<()> {
    const MESSAGE_TOO_LARGE: i64 = 10;
    scene.create("too-large", 1)?;

    let records = [Record::new("too large", "L".repeat(1_200_000))];
    let answer = scene.ask(&json!({ "op": "produce", "topic": "too-large", "records": records }));

    refused(answer, &[MESSAGE_TOO_LARGE])?;
    let records = [Record::new("small", "enough")];
    scene.produce(json!({ "topic": "too-large" }), &records, 0)?;
    same(&scene.read("too-large", 0, 0, 1)?, &records, 0)
}

fn many_partitions(scene: &mut Scene) -> Result<()> {
    const PARTITIONS: i32 = 12;
    scene.create("many", PARTITIONS)?;
    for partition in 0..PARTITIONS {
        let records = [Record::new("partition", partition.to_string())];

        scene.produce(json!({ "topic": "many", "partition": partition }), &records, 0)?;

        same(&scene.read("many", partition, 0, 1)?, &records, 0)?;
    }
    Ok(())
}
