//! `Store`: where a tier keeps its objects: a process that speaks S3, or a folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aquifer_runtime::Runtime;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::process::Usage;
use crate::scenario::Bucket;
use crate::server::{Programs, START_LIMIT, free_port, spawn};

const USER: &str = "aquifer-loadtest";
const PASSWORD: &str = "known to everybody";
const SCRIPT: &str = "loadtest/peers/minio.sh";
/// What whoever speaks to the store finds in its environment; nothing beyond this machine is asked.
pub const VARIABLES: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", USER), ("AWS_SECRET_ACCESS_KEY", PASSWORD), ("AWS_EC2_METADATA_DISABLED", "true")];
/// How much nicer a store is that stands for one on another machine, and where it keeps what it is given.
const NICER: &str = "10";
const MEMORY: &str = "/dev/shm";
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A store that answers. Its process, if it has one, ends with it.
pub enum Store {
    Minio(Minio),
    Folder(PathBuf),
}

/// A server that speaks S3.
pub struct Minio {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    folder: PathBuf,
    /// Where the folder is, of a store that stands for one on another machine.
    in_memory: Option<TempDir>,
    /// None while it is away.
    child: Option<Child>,
}

impl Store {
    pub async fn start(
        runtime: &Runtime,
        programs: &Programs,
        bucket: Bucket,
        directory: &Path,
        is_elsewhere: bool,
    ) -> Result<Store> {
        match bucket {
            Bucket::Folder => {
                let folder = directory.join("store");
                std::fs::create_dir_all(&folder)?;
                Ok(Store::Folder(folder))
            }
            Bucket::Minio => {
                Ok(Store::Minio(Minio::start(runtime, programs, directory, is_elsewhere).await?))
            }
        }
    }

    /// Where S3 is spoken.
    pub fn port(&self) -> Option<u16> {
        match self {
            Store::Minio(minio) => Some(minio.port),
            Store::Folder(_) => None,
        }
    }

    /// As `tier.url` has it, through `port` where that is not the store's own.
    pub fn url(&self, port: Option<u16>) -> String {
        match self {
            Store::Folder(folder) => format!("file://{}", folder.display()),
            Store::Minio(minio) => minio.url(port),
        }
    }

    /// What the store's process has used.
    pub fn usage(&self) -> Result<Usage> {
        match self {
            Store::Minio(Minio { child: Some(child), .. }) => Usage::of(child.id()),
            Store::Minio(_) | Store::Folder(_) => Ok(Usage::default()),
        }
    }
}

impl Minio {
    pub async fn start(
        runtime: &Runtime,
        programs: &Programs,
        directory: &Path,
        is_elsewhere: bool,
    ) -> Result<Minio> {
        let program = match &programs.minio {
            Some(program) => program.clone(),
            None => compiled(runtime).await?,
        };
        // A folder is a bucket.
        let in_memory = is_elsewhere.then(|| tempfile::tempdir_in(MEMORY)).transpose()?;
        let folder =
            in_memory.as_ref().map_or_else(|| directory.join("store"), |folder| folder.path().to_owned());
        std::fs::create_dir_all(folder.join("bucket"))?;
        let (directory, port) = (directory.to_owned(), free_port()?);
        let mut minio = Minio { program, directory, port, folder, in_memory, child: None };
        minio.come_back(runtime).await?;
        Ok(minio)
    }

    /// Starts it on what it has; comes back once it answers.
    pub async fn come_back(&mut self, runtime: &Runtime) -> Result<()> {
        let mut command = match self.in_memory {
            Some(_) => {
                let mut nice = Command::new("nice");
                nice.args(["-n", NICER]).arg(&self.program);
                nice
            }
            None => Command::new(&self.program),
        };
        command.args(["server", "--quiet", "--address", &format!("127.0.0.1:{}", self.port)]);
        command.arg(&self.folder);
        command.envs([("MINIO_ROOT_USER", USER), ("MINIO_ROOT_PASSWORD", PASSWORD)]);
        command.envs([("MINIO_BROWSER", "off"), ("MINIO_UPDATE", "off")]);
        // What goes out goes nowhere.
        command.envs([("HTTP_PROXY", "http://127.0.0.1:9"), ("HTTPS_PROXY", "http://127.0.0.1:9")]);
        let child = self.child.insert(spawn(command, &self.directory)?);
        let port = self.port;
        let answered = async {
            while !is_ready(port).await.unwrap_or(false) {
                if let Some(status) = child.try_wait()? {
                    bail!("MinIO ended with {status}");
                }
                runtime.sleep(POLL_INTERVAL).await;
            }
            Ok(())
        };
        runtime.timeout(START_LIMIT, answered).await.context("MinIO does not answer")?
    }

    /// SIGKILL.
    pub fn go_away(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself, which is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// As `tier.url` has it, through `port` where that is not the server's own.
    pub fn url(&self, port: Option<u16>) -> String {
        let port = port.unwrap_or(self.port);
        format!("s3://bucket/load?endpoint=http://127.0.0.1:{port}&region=us-east-1")
    }
}

impl Drop for Minio {
    fn drop(&mut self) {
        self.go_away();
    }
}

/// Where MinIO is, which takes minutes where it is to be compiled first.
async fn compiled(runtime: &Runtime) -> Result<PathBuf> {
    let mut command = Command::new(SCRIPT);
    command.stderr(Stdio::inherit());
    let finding = runtime.spawn_blocking("find minio", move || command.output());
    let found = finding.await.context("find MinIO")?.with_context(|| format!("run {SCRIPT}"))?;
    ensure!(found.status.success(), "{SCRIPT} failed with {}", found.status);
    Ok(PathBuf::from(String::from_utf8_lossy(&found.stdout).trim()))
}

async fn is_ready(port: u16) -> Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = b"GET /minio/health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(&status[9..] == b"200")
}
