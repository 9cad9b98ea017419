//! Confluent's REST API v2 as its clients speak it, at several gateways in turn.

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::process::{GatewayProcess, secret};
use super::session::text;
use crate::harness::{Node, data_dir, free_port};

const V2: &str = "application/vnd.kafka.v2+json";
const JSON: &str = "application/vnd.kafka.json.v2+json";
const BINARY: &str = "application/vnd.kafka.binary.v2+json";

/// Each request goes to the next gateway.
struct Everywhere {
    gateways: Vec<GatewayProcess>,
    next: std::cell::Cell<usize>,
}

impl Everywhere {
    fn before(node: &Node) -> (Everywhere, tempfile::NamedTempFile) {
        let secret = secret();
        let start = |port| GatewayProcess::start_with(&node.kafka, secret.path(), port, &[]);
        let gateways = [free_port(), free_port()].map(start).into_iter().collect();
        (Everywhere { gateways, next: std::cell::Cell::new(0) }, secret)
    }

    fn http(&self) -> &Http {
        self.next.set(self.next.get() + 1);
        &self.gateways[self.next.get() % self.gateways.len()].http
    }

    #[track_caller]
    fn post(&self, path: &str, media: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http().send("POST", path, &[("content-type", media)], body.as_bytes())
    }

    #[track_caller]
    fn get(&self, path: &str, accept: &str) -> Answer {
        self.http().send("GET", path, &[("accept", accept)], b"")
    }

    #[track_caller]
    fn instance(&self, group: &str, config: &Value) -> String {
        let created = self.post(&format!("/consumers/{group}"), V2, config).expect(200);
        let base = text(&created, "base_uri");
        let (_, path) =
            base.split_once("://").and_then(|(_, rest)| rest.split_once('/')).expect("an address");
        assert!(path.ends_with(created["instance_id"].as_str().expect("an id")), "{created}");
        format!("/{path}")
    }

    /// What comes within some reads.
    #[track_caller]
    fn read(&self, instance: &str, accept: &str, count: usize) -> Vec<Value> {
        let mut records = Vec::new();
        for _ in 0..50 {
            let page = self.get(&format!("{instance}/records?timeout=300"), accept).expect(200);
            records.extend(page.as_array().expect("records").iter().cloned());
            if records.len() >= count {
                break;
            }
        }
        assert_eq!(records.len(), count, "{records:?}");
        records
    }
}

#[track_caller]
fn fault(answer: Answer, status: u16, number: i32) {
    assert_eq!(answer.header("content-type"), Some(V2));
    let body = answer.expect(status);
    assert_eq!(body["error_code"], number, "{body}");
    assert!(body["message"].is_string(), "{body}");
}

#[test]
fn topics_are_shown_and_written_to() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let (all, _secret) = Everywhere::before(&node);
    all.http().topic("t", 2);
    let topics = all.get("/topics", V2).expect(200);
    assert!(topics.as_array().expect("names").contains(&json!("t")), "{topics}");
    let topic = all.get("/topics/t", V2).expect(200);
    assert_eq!((&topic["name"], &topic["partitions"][1]["partition"]), (&json!("t"), &json!(1)));
    assert_eq!(topic["partitions"][0]["replicas"][0]["in_sync"], true);
    assert_eq!(topic["configs"]["cleanup.policy"], "delete");
    assert_eq!(all.get("/brokers", V2).expect(200), json!({"brokers": [0]}));
    fault(all.get("/topics/absent", V2), 404, 40_401);
    fault(all.get("/topics/t/partitions/7", V2), 404, 40_402);

    let records = json!({"records": [
        {"key": {"id": 1}, "value": {"a": [1, 2]}, "partition": 0}, {"value": "text", "partition": 1}, {"value": null, "key": 7, "partition": 1},
    ]});
    let produced = all.post("/topics/t", JSON, &records).expect(200);
    assert_eq!(
        produced["offsets"][2],
        json!({"partition": 1, "offset": 1, "error_code": null, "error": null})
    );
    assert!(produced["key_schema_id"].is_null());
    let produced =
        all.post("/topics/t/partitions/0", BINARY, &json!({"records": [{"value": "AAH/"}]})).expect(200);
    assert_eq!(produced["offsets"][0]["offset"], 1);
    let mixed = json!({"records": [{"value": "YQ==", "partition": 0}, {"value": "YQ==", "partition": 9}]});
    let produced = all.post("/topics/t", BINARY, &mixed).expect(200);
    assert_eq!(
        (&produced["offsets"][0]["offset"], &produced["offsets"][1]["error_code"]),
        (&json!(2), &json!(1))
    );
    fault(all.post("/topics/absent", JSON, &json!({"records": [{"value": 1}]})), 404, 40_401);
    fault(all.post("/topics/t", BINARY, &json!({"records": [{"value": "?"}]})), 422, 422);
    fault(all.post("/topics/t", JSON, &json!({"records": []})), 422, 422);
    fault(all.post("/topics/t", "text/plain", &json!({})), 415, 415);
    let offsets = all.get("/topics/t/partitions/0/offsets", V2).expect(200);
    assert_eq!(offsets, json!({"beginning_offset": 0, "end_offset": 3}));
}

#[test]
fn an_instance_reads_commits_and_seeks_at_whichever_gateway() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let (mut all, secret) = Everywhere::before(&node);
    all.http().topic("t", 2);
    let produce = |all: &Everywhere, range: std::ops::Range<i32>| {
        let records: Vec<Value> = range.map(|n| json!({"value": {"n": n}, "partition": n % 2})).collect();
        all.post("/topics/t", JSON, &json!({"records": records})).expect(200);
    };
    produce(&all, 0..10);
    let config = json!({"name": "mine", "format": "json", "auto.offset.reset": "earliest", "auto.commit.enable": "false"});
    let mine = all.instance("g", &config);
    fault(all.post("/consumers/g", V2, &config), 409, 40_902);
    fault(all.post("/consumers/g", V2, &json!({"format": "avro"})), 422, 42_204);
    fault(all.get(&format!("{mine}/records"), JSON), 409, 40_903);
    fault(all.get("/consumers/g/instances/other/records", JSON), 404, 40_403);
    assert_eq!(all.post(&format!("{mine}/subscription"), V2, &json!({"topics": ["t"]})).status, 204);
    assert_eq!(all.get(&format!("{mine}/subscription"), V2).expect(200), json!({"topics": ["t"]}));
    fault(all.get(&format!("{mine}/records"), BINARY), 406, 40_601);
    fault(all.post(&format!("{mine}/assignments"), V2, &json!({"partitions": []})), 409, 40_903);

    let first = all.read(&mine, JSON, 10);
    assert_eq!(
        (&first[0]["topic"], &first[0]["value"], &first[0]["offset"]),
        (&json!("t"), &json!({"n": 0}), &json!(0))
    );
    let assigned = all.get(&format!("{mine}/assignments"), V2).expect(200);
    assert_eq!(assigned["partitions"].as_array().map(Vec::len), Some(2), "{assigned}");
    // All gateways die, and the instance goes on where it was.
    let replaced = GatewayProcess::start(&node.kafka, secret.path());
    for gateway in std::mem::replace(&mut all.gateways, vec![replaced]) {
        gateway.kill();
    }
    produce(&all, 10..14);
    assert_eq!(all.read(&mine, JSON, 4)[0]["value"], json!({"n": 10}));
    let both = json!({"partitions": [{"topic": "t", "partition": 0}, {"topic": "t", "partition": 1}]});
    let committed = |all: &Everywhere| {
        let headers = [("content-type", V2)];
        let answer =
            all.http().send("GET", &format!("{mine}/offsets"), &headers, both.to_string().as_bytes());
        let offsets = answer.expect(200)["offsets"].as_array().expect("offsets").clone();
        offsets.iter().map(|at| at["offset"].as_i64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!(committed(&all), [0; 0]);
    let one = json!({"offsets": [{"topic": "t", "partition": 0, "offset": 3}]});
    assert_eq!(all.post(&format!("{mine}/offsets"), V2, &one).status, 200);
    assert_eq!(committed(&all), [4], "the offset behind the one that was dealt with");
    assert_eq!(all.post(&format!("{mine}/offsets"), V2, &Value::Null).status, 200);
    assert_eq!(committed(&all), [7, 7]);

    let seek = |path: &str, body: &Value| all.post(&format!("{mine}/positions{path}"), V2, body).status;
    assert_eq!(seek("", &json!({"offsets": [{"topic": "t", "partition": 1, "offset": 5}]})), 204);
    assert_eq!(all.read(&mine, JSON, 2)[0]["offset"], 5);
    assert_eq!(seek("/beginning", &both), 204);
    all.read(&mine, JSON, 14);
    assert_eq!(seek("/beginning", &both), 204);
    assert_eq!(seek("/end", &both), 204);
    produce(&all, 14..15);
    assert_eq!(all.read(&mine, "*/*", 1)[0]["value"], json!({"n": 14}));

    assert_eq!(all.http().send("DELETE", &mine, &[], b"").status, 204);
    fault(all.get(&format!("{mine}/records"), JSON), 404, 40_403);
    fault(all.http().send("DELETE", &mine, &[], b""), 404, 40_403);
}

#[test]
fn instances_commit_by_themselves_follow_patterns_and_choose_partitions() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let (all, _secret) = Everywhere::before(&node);
    for topic in ["log-a", "log-b", "other"] {
        all.http().topic(topic, 1);
        all.post(
            &format!("/topics/{topic}"),
            BINARY,
            &json!({"records": [{"value": "AAH/", "key": "aw=="}]}),
        )
        .expect(200);
    }
    let config = json!({"auto.offset.reset": "earliest", "auto.commit.enable": true});
    let drawn = all.instance("g", &config);
    assert_eq!(
        all.post(&format!("{drawn}/subscription"), V2, &json!({"topic_pattern": "log-.*"})).status,
        204
    );
    fault(all.post(&format!("{drawn}/subscription"), V2, &json!({"topics": ["other"]})), 409, 40_903);
    let read = all.read(&drawn, BINARY, 2);
    assert!(read.iter().all(|record| record["value"] == "AAH/" && record["key"] == "aw=="), "{read:?}");
    assert_eq!(all.http().send("DELETE", &drawn, &[], b"").status, 204);
    let lag = all.http().get("/v1/groups/g/lag").expect(200);
    assert_eq!(lag["total_lag"], "0", "committed on leaving: {lag}");
    let listed = all.http().get("/v1/groups").expect(200);
    assert_eq!(
        listed["items"].as_array().map(Vec::len),
        Some(1),
        "what keeps instances is not listed: {listed}"
    );

    let chooser = all.instance("h", &json!({"format": "json", "auto.offset.reset": "earliest"}));
    let chosen = json!({"partitions": [{"topic": "other", "partition": 0}]});
    assert_eq!(all.post(&format!("{chooser}/assignments"), V2, &chosen).status, 204);
    assert_eq!(all.get(&format!("{chooser}/assignments"), V2).expect(200), chosen);
    let read = all.read(&chooser, JSON, 1);
    assert_eq!(read[0]["value"], "AAH/", "what is not JSON comes in base64");
    assert_eq!(all.post(&format!("{chooser}/offsets"), V2, &Value::Null).status, 200);
    let lag = all.http().get("/v1/groups/h/lag").expect(200);
    assert_eq!(lag["total_lag"], "0", "{lag}");
    let absent = json!({"partitions": [{"topic": "other", "partition": 4}]});
    fault(all.post(&format!("{chooser}/assignments"), V2, &absent), 404, 40_402);
}
