//! Fencing tokens: whoever was replaced appends nothing any more, through any gateway, before and after a restart.

use aquifer_contract::v1::{GetFencingTokenRequest, SetFencingTokenRequest};
use aquifer_grpc::records_service_client::RecordsServiceClient;
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::foreign::ApacheKafka;
use super::http::{Answer, Http};
use super::process::{GatewayProcess, in_thread, secret};
use crate::harness::{Node, block_on, data_dir};

const TOKEN: &str = "/v1/topics/t/partitions/0/fencing-token";

fn fence(http: &Http, body: &Value) -> Answer {
    http.json("PUT", TOKEN, body)
}

fn append(http: &Http, headers: &[(&str, &str)], value: &str) -> Answer {
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    let body = json!({"records": [{"value_text": value, "partition": 0}]}).to_string();
    http.send("POST", "/v1/topics/t/records", &all, body.as_bytes())
}

fn values(http: &Http) -> Vec<String> {
    let page = http.get("/v1/topics/t/partitions/0/records").expect(200);
    let records = page["records"].as_array().expect("records");
    records.iter().map(|record| record["value_text"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn who_was_replaced_is_refused_also_after_a_kill_and_through_another_gateway() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 2);
    assert_eq!(http.get(TOKEN).expect(200), json!({}));
    let none = append(&http, &[("fencing-token", "a")], "x").problem(412, "another_fencing_token");
    assert_eq!((&none["expected"], none.get("actual")), (&json!("a"), None));

    assert_eq!(fence(&http, &json!({"token": "a"})).expect(200), json!({"token": "a"}));
    append(&http, &[("fencing-token", "a")], "1").expect(200);
    append(&http, &[("fencing-token", "a"), ("expected-offset", "1")], "2").expect(200);
    fence(&http, &json!({"token": "b", "expected_token": "a"})).expect(200);
    let late = append(&http, &[("fencing-token", "a")], "x").problem(412, "another_fencing_token");
    assert_eq!((&late["expected"], &late["actual"]), (&json!("a"), &json!("b")));
    let lost = fence(&http, &json!({"token": "c", "expected_token": "a"}));
    assert_eq!(lost.problem(412, "another_fencing_token")["actual"], "b");
    append(&http, &[("expected-offset", "9"), ("fencing-token", "a")], "x")
        .problem(412, "another_fencing_token");
    append(&http, &[("expected-offset", "9"), ("fencing-token", "b")], "x").problem(412, "unexpected_offset");
    append(&http, &[], "3").expect(200);

    node.kill();
    let node = Node::start(folder.path());
    let file = secret();
    let other = GatewayProcess::start(&node.kafka, file.path());
    for http in [&Http::at(&node.http), &other.http] {
        assert_eq!(http.get(TOKEN).expect(200), json!({"token": "b"}));
        append(http, &[("fencing-token", "a")], "x").problem(412, "another_fencing_token");
        append(http, &[("fencing-token", "b")], "4").expect(200);
    }
    other.http.send("DELETE", TOKEN, &[], b"").expect(204);
    append(&other.http, &[("fencing-token", "b")], "x").problem(412, "another_fencing_token");
    fence(&other.http, &json!({"token": "d", "expected_token": ""})).expect(200);
    assert_eq!(values(&other.http), ["1", "2", "3", "4", "4"]);
    // Of another partition, of a topic that was made again: none.
    let second = "/v1/topics/t/partitions/1/fencing-token";
    assert_eq!(other.http.get(second).expect(200), json!({}));
    other.http.send("DELETE", "/v1/topics/t", &[], b"").expect(204);
    other.http.topic("t", 1);
    assert_eq!(other.http.get(TOKEN).expect(200), json!({}));
}

#[test]
fn a_request_that_was_appended_is_answered_so_whatever_the_token_is_by_now() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    fence(&http, &json!({"token": "a"})).expect(200);
    let once = [("fencing-token", "a"), ("idempotency-key", "k")];
    append(&http, &once, "1").expect(200);
    fence(&http, &json!({"token": "b"})).expect(200);
    let again = append(&http, &once, "1");
    assert_eq!(again.header("duplicate"), Some("true"));
    append(&http, &[("fencing-token", "a"), ("idempotency-key", "l")], "x")
        .problem(412, "another_fencing_token");
    assert_eq!(values(&http), ["1"]);
}

/// Writers take over from one another again and again: what a token's owner appended before it was replaced stands before
/// whatever its successor appended, and nothing after.
#[test]
fn of_writers_that_replace_one_another_each_is_alone() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let file = secret();
    let gateways: Vec<_> = (0..2).map(|_| GatewayProcess::start(&node.kafka, file.path())).collect();
    gateways[0].http.topic("t", 1);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let http = gateways[writer % 2].http.clone();
            in_thread(move || {
                for turn in 0..10 {
                    let token = format!("{writer}-{turn}");
                    fence(&http, &json!({"token": token})).expect(200);
                    for _ in 0..20 {
                        let answer = append(&http, &[("fencing-token", &token)], &token);
                        if answer.status == 412 {
                            break;
                        }
                        answer.expect(200);
                    }
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().expect("ended"));
    let mut seen = Vec::new();
    for value in values(&gateways[0].http) {
        if seen.last() != Some(&value) {
            assert!(!seen.contains(&value), "{value} wrote on after it was replaced: {seen:?}");
            seen.push(value);
        }
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    for token in ["", "two words", "ü", &"x".repeat(37)] {
        fence(&http, &json!({"token": token})).problem(400, "invalid_parameter");
    }
    fence(&http, &json!({"token": "a", "expected_token": "two words"})).problem(400, "invalid_parameter");
    fence(&http, &json!({"token": "a", "expected": "b"})).problem(400, "malformed_body");
    append(&http, &[("fencing-token", "two words")], "x").problem(400, "invalid_parameter");
    let unnamed = json!({"records": [{"value_text": "x"}]}).to_string();
    let headers = [("content-type", "application/json"), ("fencing-token", "a")];
    http.send("POST", "/v1/topics/t/records", &headers, unnamed.as_bytes()).problem(422, "invalid_record");
    http.json("PUT", &TOKEN.replace("partitions/0", "partitions/3"), &json!({"token": "a"}))
        .problem(404, "unknown_partition");
    http.json("PUT", &TOKEN.replace("/t/", "/none/"), &json!({"token": "a"})).problem(404, "unknown_topic");
}

#[test]
fn grpc_knows_tokens_as_rest_does() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    let told = block_on(async {
        let channel = Channel::from_shared(format!("http://{}", node.http)).expect("an address");
        let mut records = RecordsServiceClient::new(channel.connect().await.expect("connected"));
        let set = |token: &str, expected: Option<&str>| SetFencingTokenRequest {
            topic: "t".to_owned(),
            partition: 0,
            token: token.to_owned(),
            expected_token: expected.map(str::to_owned),
        };
        records.set_fencing_token(set("a", Some(""))).await.expect("set");
        let refused = records.set_fencing_token(set("b", Some(""))).await.expect_err("it is another one");
        assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
        let asked = GetFencingTokenRequest { topic: "t".to_owned(), partition: 0 };
        records.get_fencing_token(asked).await.expect("told").into_inner().token
    });
    assert_eq!(told.as_deref(), Some("a"));
    assert_eq!(http.get(TOKEN).expect(200), json!({"token": "a"}));
}

#[test]
fn clusters_of_somebody_else_have_no_tokens_and_say_so() {
    let Some(kafka) = ApacheKafka::start() else { return };
    let file = secret();
    let gateway = GatewayProcess::start(&kafka.address(), file.path());
    gateway.http.topic("t", 1);
    gateway.http.get(TOKEN).problem(501, "unsupported_by_cluster");
    fence(&gateway.http, &json!({"token": "a"})).problem(501, "unsupported_by_cluster");
    for more in [&[][..], &[("idempotency-key", "k")], &[("expected-offset", "0")]] {
        let headers = [more, &[("fencing-token", "a")]].concat();
        append(&gateway.http, &headers, "x").problem(501, "unsupported_by_cluster");
    }
    assert_eq!(gateway.http.get("/v1/capabilities").expect(200)["conditional_appends"], false);
    assert_eq!(values(&gateway.http), [""; 0]);
}
