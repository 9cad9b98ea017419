//! Apache Kafka's own tools against the real binary: each does its job, or says what is not there.

mod cluster;
mod console;
mod groups;
mod segments;
mod topics;

use crate::clients::card::Card;
use crate::clients::table::Column;
use crate::harness::{Node, Ports, data_dir, skip_without};
use crate::jars::Jars;

/// Their name on the report card.
pub(crate) const TOOLS: &str = "Apache Kafka's tools";

/// What the tools are asked: a column and a name for the report card, and who judges it.
type Capability = (Column, &'static str, fn(&Tools<'_>));

const CAPABILITIES: [Capability; 12] = [
    (Column::Produce, "the console producer writes records with keys", console::produce),
    (Column::Consume, "the console consumer reads from an offset of a partition", console::consume),
    (Column::Classic, "a classic group is described, reset, deleted", |tools| {
        groups::group(tools, "classic");
    }),
    (Column::Consumer, "a KIP-848 group is described, reset, deleted", |tools| {
        groups::group(tools, "consumer");
    }),
    (Column::Static, "a console consumer that restarts keeps its partition", groups::static_member),
    (Column::Idempotence, "the console producer has an id and an epoch", console::idempotence),
    (Column::Headers, "headers", console::headers),
    (Column::Codecs, "all codecs", console::codecs),
    (Column::TimeSeek, "offsets by time", console::offsets_by_time),
    (Column::Admin, "topics and configs", topics::topics_and_configs),
    (Column::Admin, "records, log directories", topics::records),
    (Column::Admin, "quorum, features, versions, reassignments", cluster::cluster),
];

#[test]
fn apache_kafkas_tools_do_what_they_can() {
    if skip_without("kcat") {
        return;
    }
    let Some(jars) = Jars::installed() else { return };
    let data = data_dir();
    let prompt = "[groups]\ninitial_rebalance_delay = \"0s\"\n[topics]\nauto_create = true\n";
    let node = Node::begin_server(data.path(), Ports::free(), prompt).ready();
    let tools = Tools::of(&jars, &node);
    let mut card = Card::empty(TOOLS, tools.does(topics::TOPICS, &["--version"]).trim());
    for (column, capability, judge) in CAPABILITIES {
        judge(&tools);
        card.enter(column, capability, &Ok(()));
    }
    card.keep();
}

/// The tools that are told a broker.
struct Tools<'a> {
    jars: &'a Jars,
    bootstrap: String,
}

impl Tools<'_> {
    fn of<'a>(jars: &'a Jars, node: &Node) -> Tools<'a> {
        Tools { jars, bootstrap: node.kafka.clone() }
    }

    fn run(&self, class: &str, arguments: &[&str], input: &str) -> (bool, String) {
        self.jars.run(class, &[&["--bootstrap-server", &self.bootstrap], arguments].concat(), input)
    }

    /// What a tool printed that must succeed.
    fn does(&self, class: &str, arguments: &[&str]) -> String {
        self.does_with(class, arguments, "")
    }

    fn does_with(&self, class: &str, arguments: &[&str], input: &str) -> String {
        let (well, printed) = self.run(class, arguments, input);
        assert!(well, "{class} {arguments:?}: {printed}");
        printed
    }

    /// The tool fails and says so in these words.
    #[track_caller]
    fn refuses(&self, class: &str, arguments: &[&str], words: &str) {
        let (_, printed) = self.run(class, arguments, "");
        assert!(printed.contains(words), "{class} {arguments:?} says otherwise: {printed}");
    }
}

/// Whether a text has all of these.
#[track_caller]
fn tells(printed: &str, words: &[&str]) {
    for word in words {
        assert!(printed.contains(word), "no {word:?} in {printed}");
    }
}
