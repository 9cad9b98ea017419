//! Which crate may lean on which: the arrows of ARCHITECTURE.md, as a table.

use std::collections::BTreeMap;

use crate::tree::{files, read};

/// Every crate of the workspace and the crates of the workspace that its production code names.
const ARROWS: &[(&str, &str)] = &[
    ("gateway/grpc", "contract gateway record session types wire"),
    ("gateway/rest", "contract gateway grpc record runtime session types wire"),
    ("gateway/service", "client record runtime session types wire"),
    ("gateway/session", "types"),
    ("loadtest", "client contract objects record runtime types wire"),
    ("openapi/contract", ""),
    (
        "services/aquifer",
        "broker cli client disk gateway group grpc hotlog net node quorum record rest restore runtime session types wire",
    ),
    (
        "services/broker",
        "cold coordinator disk group hotlog manifest metadata net objects partition quorum record replica runtime tiering types wire",
    ),
    ("services/cli", "client record runtime types wire"),
    ("services/client", "record runtime types wire"),
    ("services/coordinator", "disk group hotlog metadata partition record replica runtime types"),
    ("services/group", "types"),
    ("services/metadata", "manifest types"),
    ("services/net", "disk runtime"),
    ("services/node", "broker disk hotlog net quorum runtime types"),
    ("services/partition", "record types"),
    ("services/quorum", "disk metadata runtime types wal"),
    ("services/quorum/histogram", ""),
    ("services/replica", "disk hotlog partition record runtime types"),
    ("services/restore", "disk group hotlog manifest metadata objects quorum record runtime tiering types"),
    ("services/runtime", "types"),
    ("services/sim", "broker client disk hotlog net node record runtime types wire"),
    ("services/tidy", ""),
    ("services/types", ""),
    ("services/wire", "types"),
    ("storage-tiering/cold", "disk manifest objects record runtime types"),
    ("storage-tiering/disk", ""),
    ("storage-tiering/faults", "objects runtime"),
    ("storage-tiering/hotlog", "disk record runtime types wal"),
    ("storage-tiering/manifest", "types"),
    ("storage-tiering/objects", "runtime"),
    ("storage-tiering/record", "types"),
    ("storage-tiering/tiering", "disk manifest objects record runtime types"),
    ("storage-tiering/wal", "disk types"),
];

/// Crates that decide and do nothing else: no reactor, no clock, no entropy, no files.
const PURE: &[&str] = &[
    "gateway/session",
    "services/group",
    "services/metadata",
    "services/partition",
    "services/types",
    "services/wire",
    "storage-tiering/manifest",
    "storage-tiering/record",
];
const IMPURE: &[&str] =
    &["tokio", "rand", "getrandom", "socket2", "libc", "tempfile", "memmap2", "async-trait"];

/// The names under `[dependencies]` of each crate's manifest.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let beside = |path: &str| {
        path.contains("/fuzz/") || path.contains("/tests/") || path.starts_with("openapi/clients/")
    };
    let manifests = files("Cargo.toml").into_iter().filter(|file| !beside(&file.path));
    let crates = manifests.filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?.to_owned();
        let section = file.text.split("\n[dependencies]\n").nth(1).unwrap_or_default();
        let lines = section.lines().take_while(|line| !line.starts_with('['));
        let names =
            lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty());
        Some((folder, names.map(str::to_owned).collect()))
    });
    crates.collect()
}

#[test]
fn crates_lean_on_those_the_table_names() {
    let found = dependencies();
    let listed: Vec<&str> = ARROWS.iter().map(|(folder, _)| *folder).collect();
    let present: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(present, listed, "the table lists every crate, and no other");
    for (folder, allowed) in ARROWS {
        let named = found[*folder].iter().filter_map(|name| name.strip_prefix("aquifer-"));
        assert_eq!(
            named.collect::<Vec<_>>().join(" "),
            *allowed,
            "{folder}: an arrow that came or went is a decision: note it here and in ARCHITECTURE.md"
        );
    }
}

#[test]
fn pure_crates_lean_on_pure_crates_only() {
    let found = dependencies();
    for folder in PURE {
        for name in &found[*folder] {
            assert!(!IMPURE.contains(&name.as_str()), "{folder} is pure, and names {name}");
            if let Some(short) = name.strip_prefix("aquifer-") {
                assert!(
                    PURE.iter().any(|pure| pure.ends_with(&format!("/{short}"))),
                    "{folder} is pure, {name} is not"
                );
            }
        }
    }
}

#[test]
fn the_map_lists_every_crate() {
    let map = read("ARCHITECTURE.md");
    for (folder, _) in ARROWS {
        assert!(map.contains(&format!("| `{folder}` |")), "ARCHITECTURE.md has no row for {folder}");
    }
}
