//! A real browser follows a topic while its gateway stops, is killed and comes back.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::http::Http;
use super::process::{GatewayProcess, secret};
use crate::harness::{Node, data_dir, free_port, skip_without, sleep};
use crate::install::installed;

const ROUNDS: usize = 4;
const RECORDS_EACH: usize = 50;

#[test]
fn a_browser_misses_nothing_over_sse_and_over_a_websocket() {
    let Some(home) = installed("browser", &["node", "npm"]) else { return };
    if skip_without("chromium") {
        return;
    }
    let folder = data_dir();
    let node = Node::start(folder.path());
    let own = Http::at(&node.http);
    own.topic("t", 3);
    let (file, port) = (secret(), free_port());
    let start = || GatewayProcess::start_with(&node.kafka, file.path(), port, &[]);
    let mut gateway = start();
    let mut page = Command::new("timeout")
        .args(["300", "node"])
        .arg(home.join("follow.js"))
        .args(["/usr/bin/chromium", &format!("http://127.0.0.1:{port}")])
        .arg((ROUNDS * RECORDS_EACH).to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("timeout runs");
    let mut lines = BufReader::new(page.stdout.take().expect("a pipe")).lines();
    let mut line = || lines.next().expect("the page goes on").expect("text");
    assert_eq!(line(), "following");
    for round in 0..ROUNDS {
        // Some come while there is no gateway, some while the page is on its way back.
        for index in 0..RECORDS_EACH {
            let record = json!({"value_text": (round * RECORDS_EACH + index).to_string()});
            own.post("/v1/topics/t/records", &json!({"records": [record]})).expect(200);
            if index == RECORDS_EACH / 3 {
                if round % 2 == 0 {
                    gateway.kill();
                } else {
                    assert!(gateway.stop(), "it ends well");
                }
                sleep(std::time::Duration::from_millis(300));
                gateway = start();
            }
        }
        sleep(std::time::Duration::from_millis(1500));
    }
    let told: Value = serde_json::from_str(&line()).expect("JSON");
    assert!(page.wait().expect("it was started").success());
    for way in ["events", "socket"] {
        let values = told[way]["values"].as_array().expect("values");
        let mut numbers: Vec<usize> =
            values.iter().map(|value| value.as_str().expect("text").parse().expect("a number")).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers, (0..ROUNDS * RECORDS_EACH).collect::<Vec<_>>(), "{way}");
        assert!(told[way]["connected"].as_u64() > Some(1), "{way} never had to come back: {told}");
    }
}
