//! Installing clients: once for each state of their folder, whoever asks first.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{skip, skip_without};

/// Where what tests need is kept between runs.
pub(crate) fn cache() -> PathBuf {
    let chosen = std::env::var_os("AQUIFER_TEST_CACHE");
    chosen.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from)
}

/// The folder of a client's program and versions.
pub(crate) fn folder(client: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(client)
}

/// Where the client is installed; `None` where it cannot be and the test may be skipped.
pub(crate) fn installed(client: &str, tools: &[&str]) -> Option<PathBuf> {
    if tools.iter().any(|tool| skip_without(tool)) {
        return None;
    }
    let clients = cache().join("clients");
    std::fs::create_dir_all(&clients).expect("a folder for clients");
    // Held while installing, so that tests beside this one, in whatever process, wait for it.
    let lock = File::create(clients.join(format!("{client}.lock"))).expect("a lock file");
    lock.lock().expect("the lock");
    let home = clients.join(format!("{client}-{:016x}", state_of(&folder(client), tools[0])));
    if home.is_dir() {
        return Some(home);
    }
    // Renamed only when whole: an install that was cut short is done again.
    let unfinished = home.with_extension("unfinished");
    let _ = std::fs::remove_dir_all(&unfinished);
    std::fs::create_dir(&unfinished).expect("a fresh folder");
    let output = Command::new("timeout")
        .arg("600")
        .arg(folder(client).join("install"))
        .arg(&unfinished)
        .output()
        .expect("timeout runs");
    if !output.status.success() {
        skip(&format!("{client} cannot be installed: {}", String::from_utf8_lossy(&output.stderr)));
        return None;
    }
    std::fs::rename(&unfinished, &home).expect("into its place");
    Some(home)
}

/// Changes when any file of the folder does, or the tool that runs the client.
fn state_of(folder: &Path, tool: &str) -> u64 {
    let entries = std::fs::read_dir(folder).expect("the client's folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    Command::new(tool).arg("--version").output().expect("it was found").stdout.hash(&mut hasher);
    for file in files {
        file.file_name().hash(&mut hasher);
        std::fs::read(&file).expect("a file").hash(&mut hasher);
    }
    hasher.finish()
}
