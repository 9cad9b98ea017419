//! Contexts: a file of its owner alone, and which cluster is meant.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::run::AQUIFER;
use crate::harness::{Node, data_dir};

/// Runs a command whose settings live in `home`; its exit code and what it wrote.
fn at(home: &Path, words: &[&str]) -> (Option<i32>, String) {
    within(home, &[], words)
}

/// The same with more in its environment.
fn within(home: &Path, environment: &[(&str, &str)], words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(AQUIFER);
    command
        .args(words)
        .env("XDG_CONFIG_HOME", home)
        .env_remove("AQUIFER_CONTEXT")
        .env_remove("AQUIFER_BROKERS");
    let output = command.envs(environment.iter().copied()).output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_current_context_says_which_cluster_is_meant() {
    let data = data_dir();
    let (home, node) = (data_dir(), Node::server(data.path()));
    let file = home.path().join("aquifer/contexts.toml");

    at(home.path(), &["context", "set", "gone", "--brokers", "127.0.0.1:1", "--dry-run"]);
    let written_by_dry_run = file.exists();
    at(home.path(), &["context", "set", "gone", "--brokers", "127.0.0.1:1"]);
    at(home.path(), &["context", "set", "here", "--brokers", &node.kafka, "--use"]);
    let mode = std::fs::metadata(&file).expect("written").permissions().mode() & 0o777;
    let here = at(home.path(), &["topic", "list", "-o", "json"]);
    let by_name = at(home.path(), &["topic", "list", "--context", "gone", "--timeout", "100ms"]);
    at(home.path(), &["context", "use", "-"]);
    let back = at(home.path(), &["topic", "list", "--timeout", "100ms"]);
    let unknown = at(home.path(), &["topic", "list", "--context", "lost"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let open = at(home.path(), &["context", "list"]);

    assert!(!written_by_dry_run);
    assert_eq!(mode, 0o600);
    assert_eq!(here, (Some(0), "[]\n".to_owned()));
    assert_eq!((by_name.0, back.0, unknown.0), (Some(5), Some(5), Some(3)));
    assert_eq!(open.0, Some(2), "a file that others may read is not believed");
}

#[test]
fn arguments_count_more_than_the_environment_and_that_more_than_the_current_context() {
    let data = data_dir();
    let (home, node) = (data_dir(), Node::server(data.path()));
    at(home.path(), &["context", "set", "gone", "--brokers", "127.0.0.1:1", "--use"]);
    at(home.path(), &["context", "set", "here", "--brokers", &node.kafka]);
    let reached = |environment: &[(&str, &str)], more: &[&str]| {
        let words = [&["topic", "list", "--timeout", "100ms"][..], more].concat();
        within(home.path(), environment, &words).0 == Some(0)
    };
    let (by_name, by_address) = (("AQUIFER_CONTEXT", "here"), ("AQUIFER_BROKERS", node.kafka.as_str()));

    assert!(!reached(&[], &[]));
    assert!(reached(&[by_name], &[]) && reached(&[by_address], &[]));
    assert!(!reached(&[by_name], &["--context", "gone"]) && !reached(&[by_address], &["--context", "gone"]));
    assert!(!reached(&[by_name, by_address], &["--brokers", "127.0.0.1:1"]));
    assert!(reached(&[("AQUIFER_CONTEXT", "gone")], &["--brokers", &node.kafka]));
}
