//! `Member`: a kcat in a group, which commits every moment and when it leaves.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

pub(super) struct Member {
    child: Child,
    /// What it read, a line each.
    printed: NamedTempFile,
    /// What it was assigned, among other things.
    said: NamedTempFile,
    /// How many lines were told already.
    told: usize,
}

impl Member {
    pub(super) fn join(bootstrap: &str, request: &Value) -> Member {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let (printed, said) = (NamedTempFile::new().expect("a file"), NamedTempFile::new().expect("a file"));
        let mut command = Command::new("kcat");
        command.args(["-b", bootstrap, "-u", "-f", "%p %o\\n", "-X", "auto.offset.reset=earliest"]);
        command.args(["-X", "auto.commit.interval.ms=100", "-X", "fetch.wait.max.ms=200"]);
        command.args(["-X", "session.timeout.ms=10000", "-X", "heartbeat.interval.ms=500"]);
        if let Some(instance) = request["instance"].as_str() {
            command.args(["-X", &format!("group.instance.id={instance}")]);
        }
        let child = command
            .args(["-G", &text("group"), &text("topic")])
            .stdin(Stdio::null())
            .stdout(printed.reopen().expect("the file again"))
            .stderr(said.reopen().expect("the file again"))
            .spawn()
            .expect("kcat starts");
        Member { child, printed, said, told: 0 }
    }

    pub(super) fn poll(&mut self) -> Value {
        let printed = std::fs::read_to_string(self.printed.path()).expect("text");
        // What is not ended by a newline is still being written.
        let whole = &printed[..printed.rfind('\n').map_or(0, |end| end + 1)];
        let records: Vec<Vec<i64>> = whole
            .lines()
            .skip(self.told)
            .map(|line| line.split(' ').map(|word| word.parse().expect("a number")).collect())
            .collect();
        self.told += records.len();
        let said = std::fs::read_to_string(self.said.path()).expect("text");
        let changes: Vec<&str> = said.lines().filter(|line| line.contains(" rebalanced ")).collect();
        let partitions: Vec<i32> = match changes.last() {
            Some(last) if last.contains(": assigned: ") => last
                .split('[')
                .skip(1)
                .map(|rest| rest.split(']').next().and_then(|number| number.parse().ok()).expect("a number"))
                .collect(),
            _ => Vec::new(),
        };
        let assignments = changes.iter().filter(|line| line.contains(": assigned: ")).count();
        json!({ "partitions": partitions, "assignments": assignments, "records": records, "failure": said })
    }

    /// Asks it to end, upon which it commits and leaves.
    pub(super) fn leave(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.child.wait().expect("it ran");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Already gone where it left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
