//! History over HTTP as chunks: the log's own batches, under names that caches may keep.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use aquifer_record::{BatchBuilder, Encoding, NewRecord, batches};
use aquifer_types::{Offset, PartitionIndex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::foreign::ApacheKafka;
use super::http::{Answer, Http};
use super::process::{GatewayProcess, secret};
use crate::harness::{Node, block_on, client, data_dir};

/// Records of each batch; no chunk's border is one of theirs but the first.
const RECORDS: i64 = 1_000;

/// What a batch holds besides its place: what a broker stamps it with stands before.
fn content(batch: &[u8]) -> &[u8] {
    &batch[16..]
}

fn batch(number: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Encoding::NONE);
    for index in 0..RECORDS {
        let value = format!("{number} {index:=<300}");
        builder.push(&NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() }).expect("it fits");
    }
    builder.build().expect("it has records")
}

fn append(http: &Http, topic: &str, numbers: std::ops::Range<i64>) {
    let media = [("content-type", "application/vnd.kafka.recordbatch")];
    for number in numbers {
        let path = format!("/v1/topics/{topic}/partitions/0/records:batch");
        http.send("POST", &path, &media, &batch(number)).expect(200);
    }
}

fn chunks_of(http: &Http, topic: &str) -> String {
    let id = http.get(&format!("/v1/topics/{topic}")).expect(200)["id"].as_str().expect("an id").to_owned();
    format!("/v1/topic-ids/{id}/partitions/0/chunks")
}

/// Asserts that a chunk's bytes are these batches, at their offsets.
#[track_caller]
fn holds(bytes: &[u8], numbers: std::ops::Range<i64>) {
    let found: Vec<_> = batches(bytes).collect();
    let bases: Vec<i64> = found.iter().map(|batch| batch.header.base_offset.0).collect();
    assert_eq!(bases, numbers.clone().map(|number| number * RECORDS).collect::<Vec<_>>());
    for (stored, number) in found.iter().zip(numbers) {
        assert!(stored.checksum_holds());
        assert!(content(stored.bytes) == content(&batch(number)), "batch {number} is another one");
    }
    assert_eq!(found.iter().map(|batch| batch.bytes.len()).sum::<usize>(), bytes.len());
}

#[track_caller]
fn whole(answer: Answer) -> Vec<u8> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/vnd.kafka.recordbatch"));
    answer.body
}

/// What a client that reads trailers gets, head and all.
fn raw(http: &Http, path: &str) -> String {
    let mut socket = TcpStream::connect(&http.address).expect("somebody listens");
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nTE: trailers\r\nConnection: close\r\n\r\n", http.address);
    socket.write_all(head.as_bytes()).expect("the request leaves");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// As RFC 9530 writes it.
fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

#[test]
fn chunks_are_the_logs_batches_and_stay_as_they_are() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    append(&http, "t", 0..20);
    let chunks = chunks_of(&http, "t");

    // 8000 to 9000 stands across the border, and begins in the first.
    let answer = http.get(&format!("{chunks}/0"));
    let tag = answer.header("etag").expect("a tag").to_owned();
    let control = answer.header("cache-control").expect("for caches").to_owned();
    assert_eq!(control, "private, max-age=31536000, immutable");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let first = whole(answer);
    holds(&first, 0..9);
    let second = whole(http.get(&format!("{chunks}/1")));
    holds(&second, 9..17);
    let problem = http.get(&format!("{chunks}/2")).problem(404, "chunk_open");
    assert_eq!(problem["latest_offset"], "20000");

    // Once it was read its length is known; its digest once somebody asked.
    let again = http.get(&format!("{chunks}/0"));
    assert_eq!(again.header("content-length"), Some(first.len().to_string().as_str()));
    let trailed = raw(&http, &format!("{chunks}/0"));
    assert!(trailed.contains("trailer: content-digest\r\n"), "{:.600}", trailed);
    assert!(trailed.ends_with(&format!("\r\n0\r\ncontent-digest: {}\r\n\r\n", digest(&first))));
    let again = http.get(&format!("{chunks}/0"));
    assert_eq!(again.header("content-digest"), Some(digest(&first).as_str()));
    assert!(again.body == first);
    let held = http.send("GET", &format!("{chunks}/0"), &[("if-none-match", &tag)], b"");
    assert_eq!((held.status, held.header("etag"), held.body.len()), (304, Some(tag.as_str()), 0));
    assert_eq!(held.header("cache-control"), Some(control.as_str()));
    let head = http.send("HEAD", &format!("{chunks}/0"), &[], b"");
    assert_eq!((head.status, head.header("etag")), (200, Some(tag.as_str())));

    // Through another gateway, after the node was killed, and when there is more.
    node.kill();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    append(&http, "t", 20..25);
    let file = secret();
    let other = GatewayProcess::start(&node.kafka, file.path());
    for http in [&http, &other.http] {
        let answer = http.get(&format!("{chunks}/0"));
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
        assert!(answer.body == first);
        holds(&whole(http.get(&format!("{chunks}/2"))), 17..25);
    }
}

#[test]
fn parts_of_chunks_are_served_as_they_are_asked_for() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    append(&http, "t", 0..9);
    let path = format!("{}/0", chunks_of(&http, "t"));
    let all = batch(0).len() * 9;
    let part = |range: &str| http.send("GET", &path, &[("range", range)], b"");

    // Nobody has read it yet: the gateway does, to tell how long it is.
    let answer = part("bytes=1000000-2000000");
    let content_range = format!("bytes 1000000-2000000/{all}");
    assert_eq!((answer.status, answer.header("content-range")), (206, Some(content_range.as_str())));
    let whole = whole(http.get(&path));
    assert_eq!(whole.len(), all);
    assert!(answer.body == whole[1_000_000..=2_000_000]);
    assert_eq!(answer.header("repr-digest"), Some(digest(&whole).as_str()));
    assert!(part("bytes=-10").body == whole[all - 10..]);
    assert!(part("bytes=7-").body == whole[7..]);
    let long = part(&format!("bytes={}-999999999", all - 1));
    assert_eq!((long.status, long.body.len()), (206, 1));
    let beyond = part(&format!("bytes={all}-"));
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{all}").as_str()));
    beyond.problem(416, "range_not_satisfiable");
    for all_of_it in ["bytes=0-1,5-6", "lines=0-1", "bytes=9-1"] {
        assert_eq!(part(all_of_it).status, 200, "{all_of_it}");
    }
    let of_another = [("range", "bytes=0-1"), ("if-range", "\"another\"")];
    assert_eq!(http.send("GET", &path, &of_another, b"").status, 200);
}

#[test]
fn chunks_are_found_from_any_place_and_go_with_retention() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    append(&http, "t", 0..20);
    let chunks = chunks_of(&http, "t");
    let list = |query: &str| http.get(&format!("{chunks}?{query}")).expect(200);
    let numbers = |query: &str| {
        let page = list(query);
        let items = page["items"].as_array().expect("items").iter();
        items.map(|item| item["chunk"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    let page = list("page_size=1");
    let path = format!("{chunks}/0");
    let item = json!({"chunk": "0", "first_offset": "0", "end_offset": "8192", "path": path});
    assert_eq!(page["items"], json!([item]));
    assert_eq!((&page["topic"], &page["offsets_per_chunk"]), (&json!("t"), &json!(8192)));
    assert_eq!((&page["earliest_offset"], &page["next_offset"]), (&json!("0"), &json!("17000")));
    assert_eq!(page["next_page_token"], "1");
    let rest = list("page_size=1&page_token=1");
    assert_eq!((&rest["items"][0]["chunk"], rest.get("next_page_token")), (&json!("1"), None));
    // Offset 8500 stands in a batch that began in the chunk before.
    assert_eq!(numbers("from=8500"), ["0", "1"]);
    assert_eq!(numbers("from=9000"), ["1"]);
    assert_eq!(numbers("from=-3500"), ["1"]);
    assert_eq!(numbers("from=17000"), [""; 0]);
    assert_eq!(numbers("from=latest"), [""; 0]);

    let before = [(("t".into(), PartitionIndex(0)), Offset(5))];
    let deleted = block_on(async { client(&node.kafka).delete_records(&before).await });
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    assert_eq!(http.get(&format!("{chunks}/0")).problem(410, "chunk_gone")["earliest_offset"], "5");
    assert_eq!(numbers("from=earliest"), ["1"]);
    holds(&whole(http.get(&format!("{chunks}/1"))), 9..17);

    let settings =
        json!({"set_configs": {"aquifer.chunks.public": "true", "aquifer.chunks.max.age.ms": "60000"}});
    http.json("PATCH", "/v1/topics/t", &settings).expect(200);
    let answer = http.get(&format!("{chunks}/1"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60, immutable"));
    http.json("PATCH", "/v1/topics/t", &json!({"set_configs": {"cleanup.policy": "compact"}})).expect(200);
    http.get(&format!("{chunks}/1")).problem(409, "not_immutable");
    http.get(&chunks).problem(409, "not_immutable");
}

#[test]
fn what_names_no_chunk_is_refused() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    append(&http, "t", 0..9);
    let chunks = chunks_of(&http, "t");
    for number in ["-1", "x", "9223372036854775807", "99999999999999999999"] {
        http.get(&format!("{chunks}/{number}")).problem(400, "invalid_parameter");
    }
    http.get(&chunks.replace("partitions/0", "partitions/7")).problem(404, "unknown_partition");
    http.get("/v1/topic-ids/AAAAAAAAAAAAAAAAAAAAAQ/partitions/0/chunks/0").problem(404, "unknown_topic");
    http.get("/v1/topic-ids/t/partitions/0/chunks/0").problem(400, "invalid_parameter");
    for query in ["page_size=0", "page_token=x", "page_token=-1", "order=down"] {
        http.get(&format!("{chunks}?{query}")).problem(400, "invalid_parameter");
    }
    http.get(&format!("{chunks}?from=c.x")).problem(400, "invalid_cursor");
    // A topic of the same name is another one.
    http.send("DELETE", "/v1/topics/t", &[], b"").expect(204);
    http.topic("t", 1);
    http.get(&format!("{chunks}/0")).problem(404, "unknown_topic");
    // Readers that leave in the middle hold nothing: there are more of them than may read at a time.
    append(&http, "t", 0..9);
    let path = format!("{}/0", chunks_of(&http, "t"));
    for _ in 0..100 {
        let mut socket = TcpStream::connect(&http.address).expect("somebody listens");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", http.address);
        socket.write_all(head.as_bytes()).expect("the request leaves");
        socket.read_exact(&mut [0; 1000]).expect("it begins");
    }
    holds(&whole(http.get(&path)), 0..9);
}

#[test]
fn apache_kafka_has_chunks_behind_a_gateway() {
    let Some(kafka) = ApacheKafka::start() else { return };
    let file = secret();
    let gateway = GatewayProcess::start(&kafka.address(), file.path());
    gateway.http.topic("t", 1);
    append(&gateway.http, "t", 0..9);
    let chunks = chunks_of(&gateway.http, "t");
    let answer = gateway.http.get(&format!("{chunks}/0"));
    assert_eq!(answer.header("cache-control"), Some("private, max-age=31536000, immutable"));
    holds(&whole(answer), 0..9);
    let part = gateway.http.send("GET", &format!("{chunks}/0"), &[("range", "bytes=0-60")], b"");
    assert_eq!((part.status, part.body.len()), (206, 61));
    gateway.http.get(&format!("{chunks}/1")).problem(404, "chunk_open");
    let listed = gateway.http.get(&chunks).expect(200);
    assert_eq!((&listed["next_offset"], &listed["items"][0]["chunk"]), (&json!("9000"), &json!("0")));
}
