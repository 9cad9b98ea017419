//! A node in a process of its own, and tools run against it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use aquifer_client::{Client, ClientSettings, ConnectionSettings, NewTopic, TcpConnector};
use aquifer_loadtest::server::Programs;
use aquifer_runtime::Runtime;

/// A running node, killed when dropped.
pub(crate) struct Node {
    child: Child,
    /// Outside the data directory, whose disk may be full or gone.
    log: tempfile::NamedTempFile,
    pub(crate) kafka: String,
    pub(crate) http: String,
}

/// Where a node listens; a restarted one may keep its place.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    kafka: u16,
    http: u16,
}

impl Ports {
    pub(crate) fn free() -> Ports {
        Ports { kafka: free_port(), http: free_port() }
    }
}

/// A data directory that is gone with the test.
pub(crate) fn data_dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

impl Node {
    /// Starts `aquifer dev` on `data_dir` and returns once it is ready.
    pub(crate) fn start(data_dir: &Path) -> Node {
        Node::start_on(data_dir, Ports::free())
    }

    pub(crate) fn start_on(data_dir: &Path, ports: Ports) -> Node {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aquifer"));
        command.arg("dev").args(["--data-dir".as_ref(), data_dir.as_os_str()]).args([
            "--kafka-port",
            &ports.kafka.to_string(),
            "--http-port",
            &ports.http.to_string(),
        ]);
        Node::begin(command, ports).ready()
    }

    /// Starts `aquifer server`, which creates no topics by itself.
    pub(crate) fn server(data_dir: &Path) -> Node {
        Node::begin_server(data_dir, Ports::free(), "").ready()
    }

    /// Starts `aquifer server`, which creates no topics by itself, with more configuration; it is still starting.
    pub(crate) fn begin_server(data_dir: &Path, ports: Ports, more: &str) -> Node {
        Node::begin_server_as(data_dir, ports, more, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn begin_server_as(
        data_dir: &Path,
        ports: Ports,
        more: &str,
        variables: &[(&str, &str)],
    ) -> Node {
        let config = format!(
            "node_id = 0\ndata_dir = {:?}\nbootstrap = true\nhttp = \"127.0.0.1:{}\"\n\
             [[listeners]]\nname = \"PLAINTEXT\"\nbind = \"127.0.0.1:{}\"\n{more}",
            data_dir.join("data"),
            ports.http,
            ports.kafka,
        );
        let file = data_dir.join("aquifer.toml");
        std::fs::write(&file, config).expect("a configuration file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_aquifer"));
        command.arg("server").arg("--config").arg(file).envs(variables.iter().copied());
        Node::begin(command, ports)
    }

    /// A read-only mount of the bucket, once it serves.
    pub(crate) fn mount(from: &str) -> Node {
        let ports = Ports::free();
        let mut command = Command::new(env!("CARGO_BIN_EXE_aquifer"));
        command.args(["tier", "mount", "--from", from]);
        command.args(["--kafka-port", &ports.kafka.to_string(), "--http-port", &ports.http.to_string()]);
        Node::begin(command, ports).ready()
    }

    fn begin(mut command: Command, ports: Ports) -> Node {
        let log = tempfile::NamedTempFile::new().expect("a log file");
        let child = command
            .stdout(Stdio::null())
            .stderr(log.reopen().expect("the log file again"))
            .spawn()
            .expect("the binary starts");
        let Ports { kafka, http } = ports;
        Node { child, log, kafka: format!("127.0.0.1:{kafka}"), http: format!("127.0.0.1:{http}") }
    }

    /// Returns once it serves.
    pub(crate) fn ready(mut self) -> Node {
        for _ in 0..3000 {
            if self.is_ready() {
                return self;
            }
            if let Some(status) = self.child.try_wait().expect("it was started") {
                panic!("ended while starting, {status}; its log: {}", self.log());
            }
            pause();
        }
        panic!("not ready; its log: {}", self.log());
    }

    /// What it said until it ended by itself.
    pub(crate) fn last_words(mut self) -> String {
        for _ in 0..6000 {
            if self.child.try_wait().expect("it was started").is_some() {
                return self.log();
            }
            pause();
        }
        panic!("it goes on; its log: {}", self.log());
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.get("/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// The memory that it holds at the moment.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most memory that it held at any moment.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Status and body of an HTTP answer; `None` if nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        get(&self.http, path)
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

/// Status and body of an HTTP answer; `None` if nobody answers.
pub(crate) fn get(address: &str, path: &str) -> Option<(u16, String)> {
    use std::io::{Read as _, Write as _};
    let mut socket = std::net::TcpStream::connect(address).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()))
}

/// Creates a topic with our own client.
pub(crate) fn create_topic(bootstrap: &str, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    let topic = NewTopic {
        name: topic.to_owned(),
        partitions: Some(partitions),
        configs: configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..NewTopic::default()
    };
    block_on(async {
        client(bootstrap).create_topic(&topic).await.expect("the topic is created");
    });
}

/// Our own client; wants a tokio runtime around it.
pub(crate) fn client(bootstrap: &str) -> Client {
    let settings = ClientSettings {
        bootstrap: vec![bootstrap.parse().expect("an address")],
        connection: ConnectionSettings::default(),
        retry_for: Duration::from_secs(30),
    };
    Client::new(Runtime::real(), std::sync::Arc::new(TcpConnector), settings)
}

/// Waits for what is to be awaited.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// What servers are started from.
pub(crate) fn programs() -> Programs {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Programs {
        aquifer: PathBuf::from(env!("CARGO_BIN_EXE_aquifer")),
        kafka: root.join("loadtest/peers/kafka.sh"),
        minio: None,
        running: None,
    }
}

/// Runs a tool with text on its standard input; returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    run_as(program, arguments, input, &[])
}

/// The same with these variables in its environment.
pub(crate) fn run_as(program: &str, arguments: &[&str], input: &str, variables: &[(&str, &str)]) -> Output {
    use std::io::Write as _;
    let mut child = Command::new("timeout")
        .arg("120")
        .arg(program)
        .args(arguments)
        .envs(variables.iter().copied())
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
        skip(&format!("{program} is not installed"));
    }
    !found
}

/// Says that a test proves nothing here; fails it where nothing may be skipped.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "{reason}, and CI skips nothing");
    say(&format!("skipped: {reason}"));
}

/// Prints a line past the capture that hides what passing tests print.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    // A closed standard error is nobody's loss.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Waits a moment for another process; no test's outcome hangs on how long.
pub(crate) fn pause() {
    sleep(Duration::from_millis(10));
}

#[allow(clippy::disallowed_methods, reason = "other processes have no timers of ours")]
pub(crate) fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// A port nobody listens on, below those that the system hands out to connections: a restarted node finds it free again.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 12_000 + u16::try_from(std::process::id() % 10_000).expect("small");
    let candidates = (0..1000).map(|_| base + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000);
    candidates.into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}
