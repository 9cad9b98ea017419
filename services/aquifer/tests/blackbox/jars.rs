//! `Jars`: Apache Kafka's tools and programs, run from its jars.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::harness::{run, run_ok, sleep};
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
    fn java(&self) -> Vec<String> {
        let jars = format!("{}/lib/*", self.home.display());
        let level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
        let words = ["-Xmx512M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", level, "-cp", &jars];
        words.map(str::to_owned).into()
    }

    /// Runs a class to its end: whether it ended well, and all that it printed.
    pub(crate) fn run(&self, class: &str, arguments: &[&str], input: &str) -> (bool, String) {
        let java = self.java();
        let words: Vec<&str> = java.iter().map(String::as_str).chain([class]).collect();
        let output = run("java", &[&words, arguments].concat(), input);
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
    }

    /// Starts a class that goes on until it is ended.
    pub(crate) fn start(&self, class: &str, arguments: &[&str]) -> Program {
        let log = NamedTempFile::new().expect("a file");
        let child = Command::new("java")
            .args(self.java())
            .arg(class)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.reopen().expect("the file again"))
            .stderr(log.reopen().expect("the file again"))
            .spawn()
            .expect("java starts");
        Program { child, log }
    }
}

/// A running class, killed when dropped.
pub(crate) struct Program {
    child: Child,
    log: NamedTempFile,
}

impl Program {
    /// SIGTERM, and back when it is gone.
    pub(crate) fn end(mut self) {
        run_ok("kill", &["-TERM", &self.child.id().to_string()], "");
        self.child.wait().expect("it ran");
    }

    /// Asks again and again whether something has come, while it runs.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, mut come: impl FnMut() -> bool) {
        for _ in 0..1200 {
            if come() {
                return;
            }
            let ended = self.child.try_wait().expect("it was started");
            assert!(ended.is_none(), "ended before {what}: {}", self.said());
            sleep(Duration::from_millis(50));
        }
        panic!("{what} never came: {}", self.said());
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already gone where it was ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
