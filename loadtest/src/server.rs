//! `Server`: the program under test, started in a directory of its own, or somebody else's by its address.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aquifer_client::{Address, Client, ClientSettings, ConnectionSettings, TcpConnector};
use aquifer_runtime::Runtime;
use aquifer_wire::Text;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::Usage;
use crate::system::{end_with_us, terminate};

pub const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Which program is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Aquifer,
    Kafka,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    pub aquifer: PathBuf,
    /// The script beside the peers' `pom.xml`.
    pub kafka: PathBuf,
    /// MinIO; found or compiled where it is not known.
    pub minio: Option<PathBuf>,
    /// A server that runs already, to be used in place of either.
    pub running: Option<Address>,
}

/// Our server with a configuration of its own.
#[derive(Clone, Copy, Debug)]
pub struct Configured<'a> {
    /// Behind those that say where it listens and keeps its data.
    pub lines: &'a str,
    pub variables: &'a [(&'a str, &'a str)],
    /// Where clients knew it, if they did.
    pub port: Option<u16>,
}

/// A server that answers. Its process ends with it.
pub struct Server {
    pub address: Address,
    pub kind: Kind,
    /// From the start of the process to the first answer to a metadata request.
    pub started_in: Duration,
    /// Of a server that has one, if it was started here.
    pub http_port: Option<u16>,
    process: Option<Process>,
}

struct Process {
    child: Child,
    directory: PathBuf,
}

impl Programs {
    pub fn missing(&self, kind: Kind) -> Option<String> {
        if self.running.is_some() {
            return None;
        }
        match kind {
            Kind::Aquifer if !self.aquifer.is_file() => {
                Some(format!("there is no program {}", self.aquifer.display()))
            }
            Kind::Kafka if !self.kafka.is_file() => {
                Some(format!("there is no script {}", self.kafka.display()))
            }
            _ => None,
        }
    }

    /// Starts a server with its data in `directory`, which keeps what it holds.
    pub async fn start(&self, runtime: &Runtime, kind: Kind, directory: &Path) -> Result<Server> {
        self.start_on(runtime, kind, directory, None).await
    }

    /// Starts a server again where its clients knew it.
    pub async fn start_again(
        &self,
        runtime: &Runtime,
        kind: Kind,
        directory: &Path,
        address: &Address,
    ) -> Result<Server> {
        self.start_on(runtime, kind, directory, Some(address.port)).await
    }

    /// Starts our server, as `aquifer server`, with its data in `directory`, which keeps what it holds.
    pub async fn start_configured(
        &self,
        runtime: &Runtime,
        directory: &Path,
        configured: &Configured<'_>,
    ) -> Result<Server> {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
        let Configured { lines, variables, port } = *configured;
        let (port, http_port) = (port.map_or_else(free_port, Ok)?, free_port()?);
        let configuration = format!(
            "node_id = 0\ndata_dir = {:?}\nbootstrap = true\nhttp = \"127.0.0.1:{http_port}\"\n\
             [[listeners]]\nname = \"PLAINTEXT\"\nbind = \"127.0.0.1:{port}\"\n{lines}",
            directory.join("data"),
        );
        let file = directory.join("aquifer.toml");
        fs::write(&file, configuration).with_context(|| format!("write {}", file.display()))?;
        let mut command = Command::new(&self.aquifer);
        command.arg("server").arg("--config").arg(file).envs(variables.iter().copied());
        self.begin(runtime, Kind::Aquifer, directory, (command, port, Some(http_port))).await
    }

    async fn start_on(
        &self,
        runtime: &Runtime,
        kind: Kind,
        directory: &Path,
        port: Option<u16>,
    ) -> Result<Server> {
        if let Some(address) = &self.running {
            let address = address.clone();
            return Ok(Server { address, kind, started_in: Duration::ZERO, http_port: None, process: None });
        }
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
        let command = match kind {
            Kind::Aquifer => self.aquifer_command(directory, port)?,
            // It keeps its port in its settings.
            Kind::Kafka => self.kafka_command(directory)?,
        };
        self.begin(runtime, kind, directory, command).await
    }

    /// Comes back when the server that the command becomes is ready.
    async fn begin(
        &self,
        runtime: &Runtime,
        kind: Kind,
        directory: &Path,
        (command, port, http_port): (Command, u16, Option<u16>),
    ) -> Result<Server> {
        let address = Address { host: "127.0.0.1".to_owned(), port };
        let started = runtime.now().monotonic;
        let child = spawn(command, directory)?;
        let process = Some(Process { child, directory: directory.to_owned() });
        let mut server = Server { address, kind, started_in: Duration::ZERO, http_port, process };
        let answered = runtime.timeout(START_LIMIT, server.wait_for_answer(runtime)).await;
        answered.with_context(|| server.described("does not answer"))??;
        server.started_in = runtime.now().monotonic.since(started);
        if let Some(port) = http_port {
            let ready = runtime.timeout(START_LIMIT, wait_until_ready(runtime, port)).await;
            ready.with_context(|| server.described("is never ready"))?;
        }
        Ok(server)
    }

    fn aquifer_command(&self, directory: &Path, port: Option<u16>) -> Result<(Command, u16, Option<u16>)> {
        let (port, http_port) = (port.map_or_else(free_port, Ok)?, free_port()?);
        let mut command = Command::new(&self.aquifer);
        command.arg("dev").args(["--tier", "none"]).arg("--data-dir").arg(directory.join("data"));
        command.args(["--kafka-port", &port.to_string(), "--http-port", &http_port.to_string()]);
        Ok((command, port, Some(http_port)))
    }

    fn kafka_command(&self, directory: &Path) -> Result<(Command, u16, Option<u16>)> {
        let settings = directory.join("server.properties");
        let port = if settings.exists() {
            port_in(&fs::read_to_string(&settings)?).context("find the port in server.properties")?
        } else {
            let port = free_port()?;
            let mut format = Command::new(&self.kafka);
            format.arg("format").arg(directory).arg(port.to_string());
            format.stdout(Stdio::null()).stderr(Stdio::null());
            let status = format.status().context("run kafka.sh format")?;
            anyhow::ensure!(status.success(), "kafka.sh format failed with {status}");
            port
        };
        let mut command = Command::new(&self.kafka);
        command.arg("run").arg(directory);
        Ok((command, port, None))
    }
}

impl Server {
    /// A client with connections of its own.
    pub fn client(&self, runtime: &Runtime) -> Client {
        client(runtime, &self.address)
    }

    /// What the server's process has used; nothing if it was not started here.
    pub fn usage(&self) -> Result<Usage> {
        match &self.process {
            Some(process) => Usage::of(process.child.id()),
            None => Ok(Usage::default()),
        }
    }

    /// Where the server keeps its data, if it was started here.
    pub fn directory(&self) -> Option<&Path> {
        self.process.as_ref().map(|process| process.directory.as_path())
    }

    /// Asks the server to end and waits for it.
    pub async fn stop(mut self, runtime: &Runtime) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        terminate(process.child.id()).context("ask the server to end")?;
        let ended = runtime.timeout(STOP_LIMIT, async {
            loop {
                if let Some(status) = process.child.try_wait()? {
                    return Ok::<_, anyhow::Error>(status);
                }
                runtime.sleep(POLL_INTERVAL).await;
            }
        });
        let ended = ended.await;
        if ended.is_none() {
            process.child.kill().context("end the server")?;
            process.child.wait().context("wait for the server")?;
            bail!("the server did not end within {STOP_LIMIT:?} of being asked to");
        }
        Ok(())
    }

    /// SIGKILL: nothing is flushed, nothing is closed. Back when it is gone.
    pub fn kill(self) {
        drop(self);
    }

    async fn wait_for_answer(&mut self, runtime: &Runtime) -> Result<()> {
        loop {
            if let Some(status) = self.exited()? {
                bail!("{}", self.described(&format!("ended with {status}")));
            }
            // A refused connection answers at once; what takes longer counts as the server's start.
            if client(runtime, &self.address).refresh(&[]).await.is_ok_and(|found| !found.brokers.is_empty())
            {
                return Ok(());
            }
            runtime.sleep(POLL_INTERVAL).await;
        }
    }

    fn exited(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.process {
            Some(process) => process.child.try_wait().context("look after the server"),
            None => Ok(None),
        }
    }

    /// What went wrong, with the end of what the server printed.
    fn described(&self, what: &str) -> String {
        let directory = self.process.as_ref().map(|process| process.directory.as_path());
        let printed = directory.and_then(|directory| tail(&directory.join("output.txt")).ok());
        format!("{:?} at {} {what}; it printed:\n{}", self.kind, self.address, printed.unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // The run has failed already, and there is nobody to tell.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// A client that waits long for an answer, as a machine under load may take its time.
pub fn client(runtime: &Runtime, address: &Address) -> Client {
    let connection = ConnectionSettings {
        client_id: Text::from_static("aquifer-loadtest"),
        request_timeout: Duration::from_secs(60),
        ..ConnectionSettings::default()
    };
    let settings =
        ClientSettings { bootstrap: vec![address.clone()], connection, retry_for: Duration::from_secs(60) };
    Client::new(runtime.clone(), Arc::new(TcpConnector), settings)
}

pub fn spawn(mut command: Command, directory: &Path) -> Result<Child> {
    let output = File::create(directory.join("output.txt")).context("create the server's output file")?;
    command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
    end_with_us(&mut command);
    command.spawn().with_context(|| format!("start {}", command.get_program().to_string_lossy()))
}

/// A port nobody listens on at the moment, below those that the system hands out to connections by itself.
pub fn free_port() -> Result<u16> {
    let base = 20_000 + u16::try_from(std::process::id() % 10_000)?;
    // Kafka's controller takes the port after the one it is given.
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let taken = std::sync::atomic::Ordering::Relaxed;
    for _ in 0..1_000 {
        let port = base + NEXT_PORT.fetch_add(2, taken) % 2_000;
        if free(port) && free(port + 1) {
            return Ok(port);
        }
    }
    bail!("no free port was found")
}

/// So that two servers started at once do not get the same port before either listens.
static NEXT_PORT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);

fn port_in(properties: &str) -> Option<u16> {
    let line = properties.lines().find_map(|line| line.strip_prefix("advertised.listeners="))?;
    line.rsplit_once(':')?.1.parse().ok()
}

pub async fn wait_until_ready(runtime: &Runtime, port: u16) {
    while !is_ready(port).await.unwrap_or(false) {
        runtime.sleep(POLL_INTERVAL).await;
    }
}

async fn is_ready(port: u16) -> Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(&status[9..] == b"200")
}

fn tail(path: &Path) -> Result<String> {
    const TAIL_BYTES: u64 = 2_000;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_in_the_peers_settings() {
        let text = "listeners=PLAINTEXT://127.0.0.1:1\nadvertised.listeners=PLAINTEXT://127.0.0.1:9092\n";

        assert_eq!(port_in(text), Some(9092));
    }

    #[test]
    fn ports_are_not_handed_out_twice() {
        let (first, second) = (free_port().expect("free"), free_port().expect("free"));

        assert!(first.abs_diff(second) >= 2);
    }
}
