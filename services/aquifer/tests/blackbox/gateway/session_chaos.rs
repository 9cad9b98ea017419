//! Sessions behind three gateways of which one is killed again and again: every request succeeds within two retries, no
//! session is ever unknown, and nothing is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::process::{GatewayProcess, secret};
use super::session::{Session, insist, produce, records};
use crate::harness::{Node, data_dir, free_port, pause, sleep};

const GATEWAYS: usize = 3;
/// How many kills there are, one a second; `AQUIFER_CHAOS_KILLS=600` is the run at full length, with its fifty sessions.
const KILLS: usize = 12;
const SESSIONS: usize = 8;
const SESSIONS_OF_A_LONG_RUN: usize = 50;
const RECORDS_EACH: i32 = 500;
/// One gateway at a time is gone, so the third address asked has one that stays for as long as a poll waits.
const TRIES: u32 = 3;
const WAIT_MS: u64 = 300;

/// The gateways as a client behind a balancer meets them: each of its requests goes to the next.
struct Rotation {
    addresses: Vec<Http>,
    next: usize,
}

impl Rotation {
    /// On a connection of its own: one that was kept may be of a gateway that died since.
    fn post(&mut self, path: &str, body: &Value) -> Option<Answer> {
        self.next += 1;
        let http = &self.addresses[self.next % self.addresses.len()];
        let headers = [("content-type", "application/json"), ("connection", "close")];
        http.try_send("POST", path, &headers, body.to_string().as_bytes())
    }
}

#[test]
fn gateways_die_again_and_again_and_sessions_go_on() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let secret = secret();
    let ports: Vec<u16> = (0..GATEWAYS).map(|_| free_port()).collect();
    let start = |port: u16| GatewayProcess::start_with(&node.kafka, secret.path(), port, &[]);
    let mut gateways: Vec<GatewayProcess> = ports.iter().map(|port| start(*port)).collect();
    let addresses: Vec<Http> = ports.iter().map(|port| Http::at(&format!("127.0.0.1:{port}"))).collect();
    let own = Http::at(&node.http);
    let asked = std::env::var("AQUIFER_CHAOS_KILLS").ok().and_then(|text| text.parse::<usize>().ok());
    let kills = asked.unwrap_or(KILLS);
    let sessions = if asked.is_some() { SESSIONS_OF_A_LONG_RUN } else { SESSIONS };
    let partitions = i32::try_from(sessions).expect("few") + 4;
    let records_in_all = RECORDS_EACH * i32::try_from(kills).expect("few");
    own.topic("t", partitions);
    let (is_over, retried) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let seen = Arc::new(Mutex::new(BTreeSet::new()));

    let clients = (0..sessions).map(|number| {
        let mut balancer = Rotation { addresses: addresses.clone(), next: number };
        let (is_over, retried, seen) = (Arc::clone(&is_over), Arc::clone(&retried), Arc::clone(&seen));
        std::thread::Builder::new()
            .spawn(move || {
                let body = json!({"topics": ["t"], "session_id": format!("s{number}")});
                let opening = || balancer.post("/v1/groups/g/sessions", &body);
                let (opened, _) = insist(opening, TRIES);
                let token = opened["token"].as_str().expect("a token").to_owned();
                let mut session = Session { token, ack: None, cursor: None };
                while !is_over.load(Ordering::Relaxed) {
                    let body = session.request(WAIT_MS);
                    let (answer, tried) = insist(|| balancer.post("/v1/sessions:poll", &body), TRIES);
                    retried.fetch_add(tried, Ordering::Relaxed);
                    seen.lock().expect("no holder panics").extend(records(&answer).into_values());
                    session.take(&answer);
                }
                let body = json!({"token": session.token, "ack": session.ack});
                insist(|| balancer.post("/v1/sessions:close", &body), TRIES);
            })
            .expect("a thread")
    });
    let clients: Vec<_> = clients.collect();

    let mut produced = 0;
    for kill in 0..kills {
        let upto = produced + RECORDS_EACH;
        produce(&own, "t", partitions, produced..upto);
        produced = upto;
        let at = kill % GATEWAYS;
        let gone = gateways.remove(at);
        gone.kill();
        sleep(Duration::from_millis(400));
        gateways.insert(at, start(ports[at]));
        sleep(Duration::from_millis(400));
    }
    for _ in 0..6_000 {
        let count = seen.lock().expect("no holder panics").len();
        if count == usize::try_from(records_in_all).expect("positive")
            || clients.iter().any(|it| it.is_finished())
        {
            break;
        }
        pause();
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("every request succeeds within two retries");
    }

    let seen = seen.lock().expect("no holder panics");
    let missing: Vec<i32> =
        (0..records_in_all).filter(|number| !seen.contains(&number.to_string())).collect();
    assert!(missing.is_empty(), "{} records lost, the first {:?}", missing.len(), missing.first());
    // What moved at the very end and was not acknowledged comes again.
    let mut last = Session::open(&own, "g", "t");
    let mut lag = Value::Null;
    for _ in 0..100 {
        last.poll(&own, 200);
        lag = own.get("/v1/groups/g/lag").expect(200);
        if lag["total_lag"] == "0" {
            break;
        }
    }
    assert_eq!(lag["total_lag"], "0", "{lag}");
    assert!(retried.load(Ordering::Relaxed) > 0, "no kill hit a request");
}
