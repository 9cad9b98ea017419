//! WebSockets: followers that are cut off, credit, and a gateway that stops.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use super::http::Http;
use super::process::{GatewayProcess, in_thread, secret};
use super::streams::{PARTITIONS, Seen, produce};
use crate::harness::{Node, data_dir};

fn open(http: &Http, path: &str) -> WebSocket<TcpStream> {
    let socket = TcpStream::connect(&http.address).expect("somebody listens");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let (socket, _) = tungstenite::client(format!("ws://{}{path}", http.address), socket).expect("upgraded");
    socket
}

/// The next message that is text.
fn message(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        match socket.read().expect("a message") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_follower_that_is_cut_off_a_hundred_times_misses_and_repeats_nothing() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", PARTITIONS);
    let (mut seen, mut cursor, mut produced) = (Seen::default(), "earliest".to_owned(), 0);
    let take = |seen: &mut Seen, page: &Value| {
        page["records"].as_array().expect("records").iter().for_each(|record| seen.take(record));
        page["cursor"].as_str().expect("a cursor").to_owned()
    };
    for _ in 0..100 {
        produce(&http, produced, 30);
        produced += 30;
        let mut socket = open(&http, &format!("/v1/topics/t/records:ws?from={cursor}"));
        cursor = take(&mut seen, &message(&mut socket));
        // Whatever else is on its way is lost with the connection.
    }
    let mut socket = open(&http, &format!("/v1/topics/t/records:ws?from={cursor}"));
    while seen.count() < produced {
        take(&mut seen, &message(&mut socket));
    }
    seen.is_whole(produced);
}

#[test]
fn a_follower_gets_as_many_records_as_it_gave_credit_for_and_is_told_when_its_gateway_stops() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let file = secret();
    let gateway = GatewayProcess::start(&node.kafka, file.path());
    gateway.http.topic("t", 1);
    let records: Vec<Value> = (0..10).map(|index| json!({"value_text": index.to_string()})).collect();
    gateway.http.post("/v1/topics/t/records", &json!({"records": records})).expect(200);

    let mut socket = open(&gateway.http, "/v1/topics/t/partitions/0/records:ws?from=earliest&credit=2");
    let texts = |page: &Value| -> Vec<String> {
        let records = page["records"].as_array().expect("records").iter();
        records.map(|record| record["value_text"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(texts(&message(&mut socket)), ["0", "1"]);
    socket.send(Message::text("{\"credit\":3}")).expect("sent");
    let page = message(&mut socket);
    assert_eq!(texts(&page), ["2", "3", "4"], "no more than the credit, though there is more");

    // Without credit nothing is read for it, and it is told all the same.
    let stopped = in_thread(move || gateway.stop());
    let told = message(&mut socket);
    assert_eq!((&told["reconnect"], &told["cursor"]), (&json!(true), &page["cursor"]), "{told}");
    let closed = loop {
        match socket.read().expect("a close") {
            Message::Close(frame) => break frame.expect("with a code"),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(closed.code, CloseCode::Restart);
    assert!(stopped.join().expect("it ran"), "it ends well");

    let again = GatewayProcess::start(&node.kafka, file.path());
    let path = format!("/v1/topics/t/records:ws?from={}", page["cursor"].as_str().expect("a cursor"));
    assert_eq!(texts(&message(&mut open(&again.http, &path))), ["5", "6", "7", "8", "9"]);
}

#[test]
fn what_is_no_credit_ends_the_socket_with_a_reason() {
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("t", 1);
    for (said, code) in [
        (Message::text("more"), CloseCode::Policy),
        (Message::text("{\"credit\":-1}"), CloseCode::Policy),
        (Message::binary(vec![1, 2, 3]), CloseCode::Unsupported),
    ] {
        let mut socket = open(&http, "/v1/topics/t/records:ws?credit=0");
        socket.send(said).expect("sent");
        let Message::Close(Some(frame)) = socket.read().expect("a close") else { panic!("no close") };
        assert_eq!(frame.code, code, "{}", frame.reason);
    }
}
