//! MinIO: a server that speaks S3, with a bucket, in a process of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::harness::{free_port, get, pause};
use crate::install::installed;

const BUCKET: &str = "bucket";
pub(crate) const USER: &str = "aquifer-tests";
pub(crate) const PASSWORD: &str = "known to everybody";

/// A running server, killed when dropped.
pub(crate) struct Minio {
    program: PathBuf,
    folder: tempfile::TempDir,
    pub(crate) address: String,
    /// `None` while it is away.
    child: Option<Child>,
}

impl Minio {
    /// A server that answers; `None` where it cannot be installed and the test may be skipped.
    pub(crate) fn start() -> Option<Minio> {
        let program = installed("minio", &["go"])?.join("minio");
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A folder is a bucket.
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a folder");
        let address = format!("127.0.0.1:{}", free_port());
        let mut server = Minio { program, folder, address, child: None };
        server.come_back();
        Some(server)
    }

    /// Starts it on what it has; returns once it answers.
    pub(crate) fn come_back(&mut self) {
        let mut child = Command::new(&self.program)
            .args(["server", "--quiet", "--address", &self.address])
            .arg(self.folder.path())
            .envs([("MINIO_ROOT_USER", USER), ("MINIO_ROOT_PASSWORD", PASSWORD)])
            .envs([("MINIO_BROWSER", "off"), ("MINIO_UPDATE", "off")])
            // What goes out goes nowhere.
            .envs([("HTTP_PROXY", "http://127.0.0.1:9"), ("HTTPS_PROXY", "http://127.0.0.1:9")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        for _ in 0..6000 {
            if get(&self.address, "/minio/health/ready").is_some_and(|(status, _)| status == 200) {
                self.child = Some(child);
                return;
            }
            assert!(child.try_wait().expect("it was started").is_none(), "ended while starting");
            pause();
        }
        let _ = child.kill();
        panic!("MinIO does not answer");
    }

    /// SIGKILL.
    pub(crate) fn go_away(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ran");
        }
    }

    /// The bucket that is there, as `tier.url` has it.
    pub(crate) fn url(&self) -> String {
        self.url_of(BUCKET)
    }

    pub(crate) fn url_of(&self, bucket: &str) -> String {
        format!("s3://{bucket}/some/prefix?endpoint=http://{}&region=us-east-1", self.address)
    }
}

impl Drop for Minio {
    fn drop(&mut self) {
        self.go_away();
    }
}
