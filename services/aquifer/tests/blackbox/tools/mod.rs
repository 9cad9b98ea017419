//! Apache Kafka's own tools against the real binary: each does its job, or says what is not there.

mod cluster;
mod groups;
mod segments;
mod topics;

use crate::harness::Node;
use crate::jars::Jars;

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
