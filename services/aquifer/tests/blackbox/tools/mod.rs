//! Apache Kafka's own tools against the real binary: each does its job, or says what is not there.

mod cluster;
mod groups;
mod segments;
mod topics;

use std::path::PathBuf;

use crate::harness::{Node, run};
use crate::install::installed;

/// The jars of Apache Kafka, as the tests run them.
pub(crate) struct Jars {
    home: PathBuf,
}

impl Jars {
    /// `None` where they are not to be had.
    pub(crate) fn installed() -> Option<Jars> {
        installed("kafka", &["java", "mvn"]).map(|home| Jars { home })
    }

    /// What precedes a class and its arguments on java's command line. These programs are short or small.
    pub(crate) fn java(&self) -> Vec<String> {
        let jars = format!("{}/lib/*", self.home.display());
        let level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
        let words = ["-Xmx512M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", level, "-cp", &jars];
        words.map(str::to_owned).into()
    }

    /// Runs a class to its end: whether it ended well, and all that it printed.
    fn run(&self, class: &str, arguments: &[&str], input: &str) -> (bool, String) {
        let java = self.java();
        let words: Vec<&str> = java.iter().map(String::as_str).chain([class]).collect();
        let output = run("java", &[&words, arguments].concat(), input);
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
    }
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
