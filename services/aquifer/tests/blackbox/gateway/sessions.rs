//! Consumer-group sessions over HTTP: what they read, acknowledge, lose and survive, at whichever gateway.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use aquifer_loadtest::server::Kind;
use serde_json::{Value, json};

use super::http::Http;
use super::process::{GatewayProcess, secret};
use super::session::{Session, produce, records, text};
use crate::harness::{Node, data_dir, free_port, programs, skip, sleep};

/// Every shape of the issue once, against whatever cluster is behind.
fn goes_round(http: &Http) {
    http.topic("orders", 3);
    produce(http, "orders", 3, 0..30);
    let mut session = Session::open(http, "billing", "orders");
    session.until_owns(http, 3);
    let lag = http.get("/v1/groups/billing/lag").expect(200);
    assert_eq!(lag["total_lag"], "0", "read and acknowledged: {lag}");

    // Read, repeat, read ahead, acknowledge.
    produce(http, "orders", 3, 30..60);
    let first = session.request(5_000);
    let answer = http.post("/v1/sessions:poll", &first).expect(200);
    assert!(!records(&answer).is_empty());
    let again = http.post("/v1/sessions:poll", &first).expect(200);
    assert_eq!(records(&answer), records(&again), "the same request brings the same records");
    let mut seen = records(&answer);
    let ack = text(&answer, "cursor");
    session.take(&answer);
    while seen.len() < 30 {
        let body =
            json!({"token": session.token, "after": session.cursor, "wait_ms": 5_000, "max_records": 7});
        let answer = http.post("/v1/sessions:poll", &body).expect(200);
        assert!(records(&answer).len() <= 7);
        seen.extend(records(&answer));
        session.take(&answer);
    }
    let committed =
        http.post("/v1/sessions:commit", &json!({"token": session.token, "ack": ack})).expect(200);
    session.token = text(&committed, "token");
    let body = json!({"token": session.token, "ack": session.cursor});
    let committed = http.post("/v1/sessions:commit", &body).expect(200);
    assert_eq!(committed["committed"].as_array().map(Vec::len), Some(3), "{committed}");
    session.token = text(&committed, "token");
    // What was acknowledged before is harmless again.
    let repeated = http.post("/v1/sessions:commit", &json!({"token": session.token, "ack": ack})).expect(200);
    assert_eq!(repeated["committed"], committed["committed"]);
    assert_eq!(http.get("/v1/groups/billing/lag").expect(200)["total_lag"], "0");

    // Elsewhere: a number, a place, and a partition that is not owned.
    let positions = json!([{"topic": "orders", "partition": 1, "from": 4}, {"topic": "orders", "partition": 2, "from": "-1"}]);
    let body = json!({"token": session.token, "after": session.cursor, "positions": positions});
    let sought = http.post("/v1/sessions:seek", &body).expect(200);
    let body = json!({"token": sought["token"], "after": sought["cursor"], "wait_ms": 5_000});
    let answer = http.post("/v1/sessions:poll", &body).expect(200);
    let mut reread = records(&answer);
    let body = json!({"token": answer["token"], "after": answer["cursor"], "wait_ms": 500});
    reread.extend(records(&http.post("/v1/sessions:poll", &body).expect(200)));
    let offsets: Vec<_> = reread.keys().copied().collect();
    let expected: Vec<_> = (4..20).map(|offset| (1, offset)).chain([(2, 19)]).collect();
    assert_eq!(offsets, expected);
    let body = json!({"token": session.token, "positions": [{"topic": "orders", "partition": 9, "from": "earliest"}]});
    http.post("/v1/sessions:seek", &body).problem(409, "not_assigned");

    views_and_resets(http, &session);
}

fn views_and_resets(http: &Http, session: &Session) {
    let listed = http.get("/v1/groups").expect(200);
    assert!(
        listed["items"].as_array().expect("items").iter().any(|group| group["group"] == "billing"),
        "{listed}"
    );
    let members = http.get("/v1/groups/billing/members").expect(200);
    assert_eq!(members["items"][0]["assigned"].as_array().map(Vec::len), Some(3), "{members}");
    let reset = |body: Value| http.post("/v1/groups/billing/offsets:reset", &body);
    reset(json!({"to": "earliest"})).problem(409, "group_not_empty");
    http.send("DELETE", "/v1/groups/billing", &[], b"").problem(409, "group_not_empty");
    session.close(http);
    session.close(http);
    assert_eq!(http.get("/v1/groups/billing").expect(200)["state"], "Empty");
    let tried = reset(json!({"to": "earliest", "dry_run": true})).expect(200);
    assert_eq!((&tried["dry_run"], tried["items"].as_array().map(Vec::len)), (&json!(true), Some(3)));
    assert_eq!(http.get("/v1/groups/billing/lag").expect(200)["total_lag"], "0", "nothing was done");
    reset(json!({"to": 21, "topics": ["orders"]})).problem(416, "offset_out_of_range");
    reset(json!({"to": "earliest", "partitions": [{"topic": "orders", "partition": 0}]})).expect(200);
    assert_eq!(http.get("/v1/groups/billing/lag").expect(200)["total_lag"], "20");
    let offsets = http.get("/v1/groups/billing/offsets").expect(200);
    assert_eq!(offsets["items"][0]["offset"], "0", "{offsets}");
    assert_eq!(http.send("DELETE", "/v1/groups/billing", &[], b"").status, 204);
    http.get("/v1/groups/billing").problem(404, "unknown_group");
    http.get("/v1/groups/billing/offsets").problem(404, "unknown_group");
}

#[test]
fn a_session_goes_round() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    goes_round(&Http::at(&node.http));
}

#[test]
fn a_session_goes_round_in_front_of_apache_kafka() {
    let programs = programs();
    if ["java", "mvn"].into_iter().any(crate::harness::skip_without) {
        return;
    }
    let folder = data_dir();
    let reactor = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let runtime = aquifer_runtime::Runtime::real();
    let started = reactor.block_on(programs.start(&runtime, Kind::Kafka, folder.path()));
    let kafka = match started {
        Ok(kafka) => kafka,
        Err(error) => return skip(&format!("Apache Kafka does not start: {error:#}")),
    };
    let secret = secret();
    let gateway = GatewayProcess::start(&kafka.address.to_string(), secret.path());

    goes_round(&gateway.http);

    let body = json!({"topics": ["orders"], "ttl_ms": 1_800_000});
    let opened = gateway.http.post("/v1/groups/slow/sessions", &body).expect(200);
    assert_eq!(opened["ttl_ms"], 45_000, "what the group's session timeout allows: {opened}");
}

#[test]
fn partitions_move_between_sessions_and_both_are_told() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 4);
    let mut first = Session::open(&http, "g", "t");
    first.until_owns(&http, 4);
    let mut second = Session::open(&http, "g", "t");

    // A poll that waits ends as soon as something is lost, without a record.
    let mut lost = 0;
    while lost == 0 {
        let answer = first.poll(&http, 20_000);
        lost = answer["revoked"].as_array().expect("revoked").len();
    }
    assert_eq!(lost, 2);
    second.until_owns(&http, 2);
    first.close(&http);
    second.until_owns(&http, 4);

    // The same id is the same member, another gateway or a lost answer notwithstanding.
    let body = json!({"topics": ["t"], "session_id": "till-3"});
    for _ in 0..3 {
        http.post("/v1/groups/named/sessions", &body).expect(200);
    }
    let members = http.get("/v1/groups/named/members").expect(200);
    assert_eq!(members["items"].as_array().map(Vec::len), Some(1), "{members}");
}

#[test]
fn a_static_member_is_away_and_comes_back_to_its_partitions() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 2);
    let named = json!({"topics": ["t"], "instance_id": "rack-7"});
    let mut here = Session::open_with(&http, "g", &named);
    here.until_owns(&http, 2);
    let mut other = Session::open(&http, "g", "t");
    other.until_owns(&http, 0);
    let mut owned = 2;
    while owned != 1 {
        owned = here.poll(&http, 300)["assigned"].as_array().expect("assigned").len();
    }
    other.until_owns(&http, 1);

    here.close(&http);
    for _ in 0..5 {
        let answer = other.poll(&http, 100);
        assert_eq!(answer["assigned"].as_array().map(Vec::len), Some(1), "its partition waits");
    }
    let mut back = Session::open_with(&http, "g", &named);
    back.until_owns(&http, 1);
}

#[test]
fn tokens_and_cursors_of_others_are_refused_with_the_reason() {
    let (folder, other_folder) = (data_dir(), data_dir());
    let (node, other) = (Node::start(folder.path()), Node::start(other_folder.path()));
    let (shared, own) = (secret(), tempfile::NamedTempFile::new().expect("a file"));
    std::fs::write(own.path(), "another secret, and long enough\n").expect("a secret");
    let gateway = GatewayProcess::start(&node.kafka, shared.path());
    let elsewhere = GatewayProcess::start(&other.kafka, shared.path());
    let stranger = GatewayProcess::start(&node.kafka, own.path());
    let http = &gateway.http;
    http.topic("t", 1);
    http.topic("u", 1);
    produce(http, "t", 1, 0..3);
    let mut session = Session::open(http, "g", "t");
    session.until_owns(http, 1);
    let poll = |http: &Http, body: &Value| http.post("/v1/sessions:poll", body);

    let token = session.token.clone();
    let mut forged = token.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    for bad in
        ["", "x", &"A".repeat(40_000), &String::from_utf8(forged).expect("text"), &token[..token.len() - 4]]
    {
        poll(http, &json!({"token": bad})).problem(400, "invalid_token");
    }
    poll(&stranger.http, &json!({"token": token})).problem(400, "invalid_token");
    poll(&elsewhere.http, &json!({"token": token})).problem(403, "foreign_token");
    poll(http, &json!({"token": token, "ack": "c.AAAA"})).problem(400, "invalid_cursor");
    let mut foreign = Session::open(http, "h", "t");
    foreign.until_owns(http, 1);
    poll(http, &json!({"token": token, "ack": foreign.cursor})).problem(409, "foreign_cursor");
    let read = http.get("/v1/topics/t/partitions/0/records").expect(200);
    poll(http, &json!({"token": token, "after": read["cursor"]})).problem(409, "foreign_cursor");
    poll(http, &json!({"token": token, "max_records": 0})).problem(400, "invalid_parameter");
    poll(http, &json!({"token": token, "wait_ms": -1})).problem(400, "invalid_parameter");
    poll(http, &json!({"token": token, "more": 1})).problem(400, "malformed_body");
    let open = |body: Value| http.post("/v1/groups/g/sessions", &body);
    open(json!({"topics": []})).problem(400, "invalid_parameter");
    open(json!({"topics": ["absent"]})).problem(404, "unknown_topic");
    open(json!({"topics": ["t"], "from": "7"})).problem(400, "invalid_position");
    http.get("/v1/groups/absent").problem(404, "unknown_group");
    http.get("/v1/groups/a%2Fb%3Ac/lag").problem(404, "unknown_group");
    let mut odd = Session::open(http, "a%2Fb%3Ac", "t");
    odd.until_owns(http, 1);
    assert_eq!(http.get("/v1/groups/a%2Fb%3Ac").expect(200)["group"], "a/b:c");

    let brief = json!({"topics": ["t"], "ttl_ms": 1});
    let opened = http.post("/v1/groups/brief/sessions", &brief).expect(200);
    assert_eq!(opened["ttl_ms"], 10_000, "no session is shorter");
    sleep(Duration::from_secs(11));
    poll(http, &json!({"token": opened["token"]})).problem(410, "expired_token");
}

#[test]
fn a_lost_answer_loses_nothing_and_repeats_at_another_gateway() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let secret = secret();
    let gateways = [free_port(), free_port()]
        .map(|port| GatewayProcess::start_with(&node.kafka, secret.path(), port, &[]));
    let http = &gateways[0].http;
    http.topic("t", 2);
    produce(http, "t", 2, 0..400);
    let mut session = Session::open(http, "g", "t");
    session.until_owns(http, 2);
    let body = json!({"token": session.token, "positions": [{"topic": "t", "from": "earliest"}]});
    let sought = http.post("/v1/sessions:seek", &body).expect(200);
    session.token = text(&sought, "token");
    let (mut after, mut seen) = (text(&sought, "cursor"), Vec::new());
    while seen.len() < 400 {
        let body = json!({"token": session.token, "after": after, "max_records": 50, "wait_ms": 5_000});
        for gateway in &gateways {
            // Sent, and never read.
            let mut socket = TcpStream::connect(&gateway.http.address).expect("somebody listens");
            let body = body.to_string();
            let head = format!(
                "POST /v1/sessions:poll HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            socket.write_all(format!("{head}{body}").as_bytes()).expect("sent");
        }
        let [first, second] = [0, 1].map(|at| gateways[at].http.post("/v1/sessions:poll", &body).expect(200));
        assert_eq!(records(&first), records(&second));
        seen.extend(records(&first).into_keys());
        (after, session.token) = (text(&first, "cursor"), text(&first, "token"));
    }
    let whole = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), whole), (400, 400), "each record once, for what the client kept");
}
