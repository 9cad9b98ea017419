//! `Driver`: a client in a process of its own, asked in lines of JSON.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use super::client::{Client, Refusal};
use crate::install;

/// Longer than any client's own limits: who takes longer hangs.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Driver {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
    /// What it wrote to its standard error.
    complaints: tempfile::NamedTempFile,
}

impl Driver {
    /// Starts the driver in `folder`, as it is installed in `home`, for one of its clients.
    pub(super) fn start(folder: &str, home: &Path, bootstrap: &str, client: &str) -> Driver {
        let complaints = tempfile::NamedTempFile::new().expect("a file");
        let mut child = Command::new(install::folder(folder).join("run"))
            .arg(home)
            .args([bootstrap, client])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints.reopen().expect("the file again"))
            .spawn()
            .expect("the driver starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, answers) = channel();
        let reader = move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().spawn(reader).expect("a thread");
        Driver { child, stdin, answers, complaints }
    }

    fn complaints(&self) -> String {
        std::fs::read_to_string(self.complaints.path()).unwrap_or_default()
    }
}

impl Client for Driver {
    fn ask(&mut self, request: &Value) -> Result<Value, Refusal> {
        // A driver that is gone shows in its answer.
        let _ = writeln!(self.stdin, "{request}");
        let line = self
            .answers
            .recv_timeout(ANSWER_LIMIT)
            .map_err(|late| Refusal::Silent(format!("{late}; {}", self.complaints())))?;
        let answer: Value = serde_json::from_str(&line)
            .map_err(|error| Refusal::Error { code: None, message: format!("{error}: {line}") })?;
        if let Some(why) = answer["absent"].as_str() {
            return Err(Refusal::Absent(why.to_owned()));
        }
        if let Some(error) = answer.get("error") {
            let message = error["message"].as_str().unwrap_or_default().to_owned();
            return Err(Refusal::Error { code: error["code"].as_i64(), message });
        }
        Ok(answer["ok"].clone())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Already gone where it failed by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
