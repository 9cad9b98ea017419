//! `GatewayProcess`: `aquifer gateway` in a process of its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::http::Http;
use crate::harness::{free_port, pause};

/// A running gateway, killed when dropped.
pub(super) struct GatewayProcess {
    child: Child,
    pub(super) http: Http,
}

impl GatewayProcess {
    /// In front of these brokers, with the secret that it shares with others.
    pub(super) fn start(brokers: &str, secret: &Path) -> GatewayProcess {
        GatewayProcess::start_with(brokers, secret, free_port(), &[])
    }

    pub(super) fn start_with(brokers: &str, secret: &Path, port: u16, more: &[&str]) -> GatewayProcess {
        let child = Command::new(env!("CARGO_BIN_EXE_aquifer"))
            .args(["gateway", "--bootstrap", brokers, "--http-port", &port.to_string()])
            .arg("--secret-file")
            .arg(secret)
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let gateway = GatewayProcess { child, http: Http::at(&format!("127.0.0.1:{port}")) };
        for _ in 0..1000 {
            if gateway.http.try_get("/readyz").is_some_and(|answer| answer.status == 200) {
                return gateway;
            }
            pause();
        }
        panic!("the gateway is not ready");
    }

    /// SIGKILL.
    pub(super) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started");
    }

    /// SIGTERM; whether it ended well.
    pub(super) fn stop(mut self) -> bool {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        sent.success() && self.child.wait().expect("it was started").success()
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file with a secret that gateways share.
pub(super) fn secret() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n")
        .expect("a secret");
    file
}

/// Does something beside the test.
pub(super) fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::Builder::new().spawn(work).expect("a thread")
}
