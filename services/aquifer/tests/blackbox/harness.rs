//! A node in a process of its own, and tools run against it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A running `aquifer dev`, killed when dropped.
pub(crate) struct Node {
    child: Child,
    pub(crate) kafka: String,
    pub(crate) http: String,
}

fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.join("test.log")
}

/// A data directory that is gone with the test.
pub(crate) fn data_dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

impl Node {
    /// Starts on `data_dir` and returns once it is ready.
    pub(crate) fn start(data_dir: &Path) -> Node {
        let (kafka, http) = (free_port(), free_port());
        let log = std::fs::File::create(log_file(data_dir)).expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_aquifer"))
            .arg("dev")
            .args(["--data-dir".as_ref(), data_dir.as_os_str()])
            .args(["--kafka-port", &kafka.to_string(), "--http-port", &http.to_string()])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let node = Node { child, kafka: format!("127.0.0.1:{kafka}"), http: format!("127.0.0.1:{http}") };
        for _ in 0..600 {
            if node.get("/readyz").is_some_and(|(status, _)| status == 200) {
                return node;
            }
            pause();
        }
        panic!("not ready; its log: {}", std::fs::read_to_string(log_file(data_dir)).unwrap_or_default());
    }

    /// Status and body of an HTTP answer; `None` if nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(&self.http).ok()?;
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()))
    }

    /// SIGKILL: nothing is flushed, nothing is closed.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ran");
    }

    /// SIGTERM, and the exit status once it is gone.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.child.wait().expect("it ran")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Already gone where the test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a tool with text on its standard input; returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    use std::io::Write as _;
    let mut child = Command::new("timeout")
        .arg("120")
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    let text = input.to_owned();
    let writer =
        std::thread::Builder::new().spawn(move || stdin.write_all(text.as_bytes())).expect("a thread");
    let output = child.wait_with_output().expect("it ran");
    let _ = writer.join();
    output
}

/// As `run`, for a tool that must succeed.
pub(crate) fn run_ok(program: &str, arguments: &[&str], input: &str) -> String {
    let output = run(program, arguments, input);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// Whether a test whose tool is missing may pass: not where a skip would hide something.
pub(crate) fn skip_without(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder: PathBuf| folder.join(program).is_file())
    });
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing, and CI skips nothing");
        eprintln!("skipped: {program} is not installed");
    }
    !found
}

/// Waits a moment for another process; no test's outcome hangs on how long.
#[allow(clippy::disallowed_methods, reason = "other processes have no timers of ours")]
pub(crate) fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(50));
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}
