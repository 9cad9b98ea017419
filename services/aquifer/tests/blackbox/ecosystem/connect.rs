//! Connect: lines go from a file through a topic to another file, standalone and distributed, over restarts of either side.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use super::{PROMPT, properties};
use crate::harness::{Node, Ports, create_topic, data_dir, free_port};
use crate::jars::{Jars, Program};

/// What a worker is told in either mode.
fn worker<'a>(bootstrap: &'a str, listener: &'a str) -> Vec<(&'a str, &'a str)> {
    let text = "org.apache.kafka.connect.storage.StringConverter";
    vec![
        ("bootstrap.servers", bootstrap),
        ("listeners", listener),
        ("key.converter", text),
        ("value.converter", text),
        ("offset.flush.interval.ms", "500"),
        ("plugin.discovery", "service_load"),
    ]
}

fn append(file: &Path, lines: std::ops::Range<u32>) {
    let mut file = std::fs::File::options().create(true).append(true).open(file).expect("the file");
    let text: String = lines.map(|n| format!("line {n}\n")).collect();
    file.write_all(text.as_bytes()).expect("written");
}

/// The lines of a file, each at least once; `None` while some are missing.
fn arrived(file: &Path, count: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    (0..count).all(|n| lines.contains(&format!("line {n}"))).then_some(lines)
}

#[test]
fn a_standalone_worker_copies_a_file_through_a_topic() {
    let Some(jars) = Jars::installed() else { return };
    let (data, folder) = (data_dir(), data_dir());
    let node = Node::start(data.path());
    let at = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let (input, output, offsets) = (at("input"), at("output"), at("offsets"));
    let listener = format!("http://127.0.0.1:{}", free_port());
    let mut settings = worker(&node.kafka, &listener);
    settings.push(("offset.storage.file.filename", &offsets));
    let worker = properties(folder.path(), "worker.properties", &settings);
    let source = [
        ("name", "source"),
        ("connector.class", "FileStreamSource"),
        ("file", input.as_str()),
        ("topic", "lines"),
    ];
    let source = properties(folder.path(), "source.properties", &source);
    let sink = [
        ("name", "sink"),
        ("connector.class", "FileStreamSink"),
        ("file", output.as_str()),
        ("topics", "lines"),
    ];
    let sink = properties(folder.path(), "sink.properties", &sink);
    let arguments = [&worker, &source, &sink].map(|file| file.to_str().expect("text"));
    let start = || jars.start("org.apache.kafka.connect.cli.ConnectStandalone", &arguments);

    append(input.as_ref(), 0..50);
    let mut running = start();
    running.wait("the first lines", || arrived(output.as_ref(), 50).is_some());
    running.end();
    append(input.as_ref(), 50..80);
    let mut running = start();
    running.wait("the lines after a restart", || arrived(output.as_ref(), 80).is_some());

    let lines = arrived(output.as_ref(), 80).expect("they arrived");
    assert_eq!(lines.len(), 80, "a worker that ends in order repeats nothing");
}

#[test]
fn distributed_workers_go_on_after_the_broker_and_one_of_them_were_killed() {
    let Some(jars) = Jars::installed() else { return };
    let (data, folder, ports) = (data_dir(), data_dir(), Ports::free());
    let node = Node::begin_server(data.path(), ports, PROMPT).ready();
    create_topic(&node.kafka, "lines", 1, &[]);
    let (input, output) = (folder.path().join("input"), folder.path().join("output"));
    let start = |rest: &str| {
        let listener = format!("http://{rest}");
        let mut settings = worker(&node.kafka, &listener);
        settings.extend([
            ("group.id", "workers"),
            ("config.storage.topic", "connect-configs"),
            ("offset.storage.topic", "connect-offsets"),
            ("status.storage.topic", "connect-status"),
            ("config.storage.replication.factor", "1"),
            ("offset.storage.replication.factor", "1"),
            ("status.storage.replication.factor", "1"),
            ("heartbeat.interval.ms", "1000"),
            ("session.timeout.ms", "6000"),
            // What a lost worker did is given to others at once.
            ("scheduled.rebalance.max.delay.ms", "0"),
        ]);
        let file = properties(folder.path(), &format!("{rest}.properties"), &settings);
        jars.start("org.apache.kafka.connect.cli.ConnectDistributed", &[file.to_str().expect("text")])
    };
    let [one, other] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));

    append(&input, 0..50);
    let mut first = start(&one);
    configure(&mut first, &one, "source", "FileStreamSource", &input, "topic");
    configure(&mut first, &one, "sink", "FileStreamSink", &output, "topics");
    first.wait("the first lines", || arrived(&output, 50).is_some());

    // Only a member of the group answers for connectors.
    let mut second = start(&other);
    configure(&mut second, &other, "source", "FileStreamSource", &input, "topic");
    append(&input, 50..60);
    second.wait("the lines with two workers", || arrived(&output, 60).is_some());
    node.kill();
    append(&input, 60..70);
    let node = Node::begin_server(data.path(), ports, PROMPT).ready();
    second.wait("the lines after the broker was killed", || arrived(&output, 70).is_some());

    drop(first);
    append(&input, 70..80);
    second.wait("the lines after a worker was killed", || arrived(&output, 80).is_some());
    drop(second);
    assert!(node.terminate().success());
}

/// Has a worker run a connector, as soon as it listens.
fn configure(running: &mut Program, rest: &str, name: &str, class: &str, file: &Path, topics: &str) {
    let config =
        serde_json::json!({ "connector.class": class, "file": file, topics: "lines", "tasks.max": "1" });
    running.wait("a worker that takes connectors", || {
        let status = put(rest, &format!("/connectors/{name}/config"), &config.to_string());
        // It refuses while it has no leader yet.
        matches!(status, Some(200 | 201))
    });
}

/// The status of the answer, if there is one.
fn put(address: &str, path: &str, body: &str) -> Option<u16> {
    let mut socket = TcpStream::connect(address).ok()?;
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + body).as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
