//! Kafka's clients against the real binary: every capability asked of each of them alike.

mod admin;
mod card;
mod client;
mod driver;
mod exchange;
mod install;
mod kcat;
mod produce;
mod read;
mod refuse;
mod scene;

use card::Card;
use client::Client;
use driver::Driver;
use kcat::Kcat;
use scene::Scene;

use crate::harness::{Node, data_dir, skip_without};

/// What is asked of a client: a name for the report card, and who judges it.
type Capability = (&'static str, fn(&mut Scene) -> anyhow::Result<()>);

/// Does for clients what they cannot do themselves: creates topics for kcat, reads for kafkajs.
const STAND_IN: &str = "confluent-kafka";

/// Each client with the tools that it is installed and run with.
const CLIENTS: [(&str, &[&str]); 5] = [
    ("kcat", &["kcat"]),
    (STAND_IN, &["python3"]),
    ("kafka-python", &["python3"]),
    ("kafkajs", &["node", "npm"]),
    ("java", &["java", "javac", "mvn"]),
];

fn capabilities() -> impl Iterator<Item = Capability> {
    [produce::CAPABILITIES, read::CAPABILITIES, admin::CAPABILITIES, refuse::CAPABILITIES]
        .concat()
        .into_iter()
}

/// Starts a client; `None` where it is not to be had.
fn start(name: &str, bootstrap: &str) -> Option<Box<dyn Client>> {
    let (_, tools) = CLIENTS.iter().find(|(client, _)| *client == name).expect("one of ours");
    if name == "kcat" {
        return (!skip_without("kcat")).then(|| Box::new(Kcat { bootstrap: bootstrap.to_owned() }) as _);
    }
    let home = install::installed(name, tools)?;
    Some(Box::new(Driver::start(name, &home, bootstrap)))
}

fn judge(name: &'static str) {
    let data = data_dir();
    let node = Node::server(data.path());
    let Some(client) = start(name, &node.kafka) else { return };
    let stand_in = if matches!(name, "kcat" | "kafkajs") {
        let Some(stand_in) = start(STAND_IN, &node.kafka) else { return };
        Some(stand_in)
    } else {
        None
    };
    let mut scene = Scene { node, client, stand_in, name };
    let stood_in_by = scene.stand_in.as_ref().map(|_| STAND_IN);
    let mut card = Card::of(name, &mut *scene.client, stood_in_by);
    for (capability, judge) in capabilities() {
        card.enter(capability, &judge(&mut scene));
        assert!(scene.node.is_ready(), "{capability} of {name} ended the node: {}", scene.node.log());
    }
    card.keep();
}

#[test]
fn kcat_does_what_it_can() {
    judge("kcat");
}

#[test]
fn confluent_kafka_does_what_it_can() {
    judge(STAND_IN);
}

#[test]
fn kafka_python_does_what_it_can() {
    judge("kafka-python");
}

#[test]
fn kafkajs_does_what_it_can() {
    judge("kafkajs");
}

#[test]
fn the_java_client_does_what_it_can() {
    judge("java");
}
