//! `KafkaServer`: Apache Kafka as a process of a test's own, with settings that the test adds.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::free_port;

/// One broker that is its own controller. Gone with the test.
pub(crate) struct KafkaServer {
    child: Child,
    pub(crate) port: u16,
    output: PathBuf,
}

impl Drop for KafkaServer {
    fn drop(&mut self) {
        // Whatever became of it, it is not to outlive the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl KafkaServer {
    /// Starts it in `directory`, formatted with more `words`, on a port of which `settings` is told; the controller is to listen on
    /// the next one. Of settings that are there already the test's own count.
    pub(crate) fn start(
        directory: &Path,
        words: &[&str],
        settings: impl FnOnce(u16) -> String,
    ) -> KafkaServer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../loadtest/peers/kafka.sh");
        let port = free_port();
        // The controller's, which nobody else is to be given meanwhile.
        let _controller = free_port();
        let formatted =
            Command::new(&script).arg("format").arg(directory).arg(port.to_string()).args(words).output();
        let formatted = formatted.expect("the script runs");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let file = File::options().append(true).open(directory.join("server.properties"));
        file.expect("formatted").write_all(settings(port).as_bytes()).expect("written");
        let output = directory.join("output.txt");
        let file = File::create(&output).expect("a file");
        let child = Command::new(&script)
            .arg("run")
            .arg(directory)
            .env("KAFKA_HEAP", "512M")
            .env("JAVA_TOOL_OPTIONS", "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=info")
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("the file again"))
            .stdout(file)
            .spawn()
            .expect("the script runs");
        KafkaServer { child, port, output }
    }

    /// What it has logged, refusals among it.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.output).expect("its output")
    }
}
