//! The tier in a bucket of a RADOS gateway, which answers otherwise than MinIO does.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::{Node, Ports, data_dir, free_port, run_as, skip_without};
use crate::install::folder;
use crate::s3::begin;
use crate::tier::{TOPIC, every_codec, read};

const AQUIFER: &str = env!("CARGO_BIN_EXE_aquifer");
const USER: &str = "aquifer-tests";
const PASSWORD: &str = "knowntoeverybody";
const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", USER),
    ("AWS_SECRET_ACCESS_KEY", PASSWORD),
    // Nothing beyond this machine is asked.
    ("AWS_EC2_METADATA_DISABLED", "true"),
];
const PROGRAMS: [&str; 8] =
    ["ceph", "ceph-authtool", "ceph-mgr", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"];

/// A gateway with what it stands on; all of it ends when this is dropped.
struct Gateway {
    _folder: tempfile::TempDir,
    child: Child,
    url: String,
}

impl Gateway {
    /// One that answers and has a bucket; `None` where it is not installed and the test may be skipped.
    fn start() -> Option<Gateway> {
        if PROGRAMS.iter().chain(&["curl", "openssl", "setpriv"]).any(|program| skip_without(program)) {
            return None;
        }
        let home = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let mut child = Command::new(folder("rgw").join("start"))
            .arg(home.path())
            .args([port.to_string(), free_port().to_string()])
            .args([USER, PASSWORD])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut said).expect("it says something");
        let url = format!("s3://bucket/some/prefix?endpoint=http://127.0.0.1:{port}&region=us-east-1");
        let gateway = Gateway { _folder: home, child, url };
        assert_eq!(said.trim(), "ready");
        Some(gateway)
    }

    fn node(&self, folder: &Path) -> Node {
        begin(folder, Ports::free(), &self.url, "", &KEYS).ready()
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        let output = run_as(AQUIFER, arguments, "", &KEYS);
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_gateway_is_probed_written_read_checked_and_restored_from() {
    if skip_without("kcat") {
        return;
    }
    let Some(gateway) = Gateway::start() else { return };
    let (old, new) = (data_dir(), data_dir());

    every_codec(|| gateway.node(old.path()));

    let check = gateway.ask(&["tier", "fsck", &gateway.url, "--deep", "-o", "json"]);
    assert!(check[0]["sound"] == true && check[0]["partitions"][0]["end"] == 20_000, "{check}");
    let node = gateway.node(old.path());
    let expected = read(&node, "beginning");
    node.kill();
    let to = new.path().join("data");
    let to = to.to_str().expect("text");
    let report = gateway.ask(&["restore", "--from", &gateway.url, "--data-dir", to, "-o", "json"]);
    assert_eq!(
        (&report["partitions"][0]["topic"], &report["partitions"][0]["end"]),
        (&TOPIC.into(), &20_000.into())
    );
    let node = gateway.node(new.path());
    assert!(read(&node, "beginning") == expected, "every record comes back");
    assert!(node.terminate().success());
}
