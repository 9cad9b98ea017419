//! Kafka's clients against the real binary: every capability asked of each of them alike.

mod across;
mod admin;
pub(crate) mod card;
mod client;
mod driver;
mod exchange;
mod group;
mod kcat;
mod known;
mod produce;
mod read;
mod refuse;
mod scene;
pub(crate) mod table;

use card::Card;
use client::Client;
use driver::Driver;
use kcat::Kcat;
use scene::Scene;
use table::Column;

use crate::harness::{Node, Ports, data_dir, skip_without};
use crate::install;

/// What is asked of a client: its column and name on the report card, and who judges it.
type Capability = (Column, &'static str, fn(&mut Scene) -> anyhow::Result<()>);

/// Does for kcat what it cannot do itself: creates topics.
const STAND_IN: &str = "confluent-kafka";

/// A client, the folder of its driver, and the tools that it is installed and run with.
struct Kind {
    name: &'static str,
    folder: &'static str,
    tools: &'static [&'static str],
}

const CLIENTS: [Kind; 11] = [
    Kind { name: "kcat", folder: "", tools: &["kcat"] },
    Kind { name: STAND_IN, folder: STAND_IN, tools: &["python3"] },
    Kind { name: "kafka-python", folder: "kafka-python", tools: &["python3"] },
    Kind { name: "aiokafka", folder: "aiokafka", tools: &["python3"] },
    Kind { name: "kafkajs", folder: "kafkajs", tools: &["node", "npm"] },
    Kind { name: "@platformatic/kafka", folder: "platformatic-kafka", tools: &["npm"] },
    Kind { name: "rdkafka", folder: "rdkafka", tools: &["cargo", "cc"] },
    Kind { name: "franz-go", folder: "go", tools: &["go"] },
    Kind { name: "sarama", folder: "go", tools: &["go"] },
    Kind { name: "kafka-go", folder: "go", tools: &["go"] },
    Kind { name: "java", folder: "java", tools: &["java", "javac", "mvn"] },
];

/// Configuration for groups that are quick. Not at once: leaders of some clients divide what they do not know yet, and
/// stay with it.
const PROMPT: &str = "[groups]\ninitial_rebalance_delay = \"250ms\"\nconsumer_heartbeat_interval = \"1s\"\n";

fn capabilities() -> impl Iterator<Item = Capability> {
    [
        produce::CAPABILITIES,
        read::CAPABILITIES,
        group::CAPABILITIES,
        admin::CAPABILITIES,
        refuse::CAPABILITIES,
    ]
    .concat()
    .into_iter()
}

/// Starts a client; `None` where it is not to be had.
fn start(name: &str, bootstrap: &str) -> Option<Box<dyn Client>> {
    let kind = CLIENTS.iter().find(|kind| kind.name == name).expect("one of ours");
    if name == "kcat" {
        return (!skip_without("kcat")).then(|| Box::new(Kcat::new(bootstrap)) as _);
    }
    let home = install::installed(kind.folder, kind.tools)?;
    Some(Box::new(Driver::start(kind.folder, &home, bootstrap, name)))
}

fn judge(name: &'static str) {
    let data = data_dir();
    let node = Node::begin_server(data.path(), Ports::free(), PROMPT).ready();
    let Some(client) = start(name, &node.kafka) else { return };
    let stand_in = if name == "kcat" {
        let Some(stand_in) = start(STAND_IN, &node.kafka) else { return };
        Some(stand_in)
    } else {
        None
    };
    let mut scene = Scene { node, client, stand_in, name };
    let stood_in_by = scene.stand_in.as_ref().map(|_| STAND_IN);
    let mut card = Card::of(name, &mut *scene.client, stood_in_by);
    for (column, capability, judge) in capabilities() {
        card.enter(column, capability, &judge(&mut scene));
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
fn aiokafka_does_what_it_can() {
    judge("aiokafka");
}

#[test]
fn kafkajs_does_what_it_can() {
    judge("kafkajs");
}

#[test]
fn platformatic_kafka_does_what_it_can() {
    judge("@platformatic/kafka");
}

#[test]
fn the_rdkafka_crate_does_what_it_can() {
    judge("rdkafka");
}

#[test]
fn franz_go_does_what_it_can() {
    judge("franz-go");
}

#[test]
fn sarama_does_what_it_can() {
    judge("sarama");
}

#[test]
fn kafka_go_does_what_it_can() {
    judge("kafka-go");
}

#[test]
fn the_java_client_does_what_it_can() {
    judge("java");
}
