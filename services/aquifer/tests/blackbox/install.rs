//! Installing clients: once for each state of what they are made from, whoever asks first.

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
    Recipe { name: client, folder: folder(client), tools, made_from: &[], environment: None }.installed()
}

/// Something to be installed by the program `install` of its folder.
pub(crate) struct Recipe<'a> {
    pub(crate) name: &'a str,
    pub(crate) folder: PathBuf,
    /// What installs and runs it; another version of the first one installs it again.
    pub(crate) tools: &'a [&'a str],
    /// What goes into it beside the files of its folder.
    pub(crate) made_from: &'a [PathBuf],
    /// What `install` finds in its environment.
    pub(crate) environment: Option<(&'a str, PathBuf)>,
}

impl Recipe<'_> {
    /// Where it is installed; `None` where it cannot be and the test may be skipped.
    pub(crate) fn installed(&self) -> Option<PathBuf> {
        if self.tools.iter().any(|tool| skip_without(tool)) {
            return None;
        }
        let clients = cache().join("clients");
        std::fs::create_dir_all(&clients).expect("a folder for clients");
        // Held while installing, so that tests beside this one, in whatever process, wait for it.
        let lock = File::create(clients.join(format!("{}.lock", self.name))).expect("a lock file");
        lock.lock().expect("the lock");
        let home = clients.join(format!("{}-{:016x}", self.name, self.state()));
        if home.is_dir() {
            return Some(home);
        }
        // Renamed only when whole: an install that was cut short is done again.
        let unfinished = home.with_extension("unfinished");
        let _ = std::fs::remove_dir_all(&unfinished);
        std::fs::create_dir(&unfinished).expect("a fresh folder");
        let output = Command::new("timeout")
            // MinIO is compiled, and a slow machine takes its time.
            .arg("1800")
            .arg(self.folder.join("install"))
            .arg(&unfinished)
            .envs(self.environment.clone())
            .output()
            .expect("timeout runs");
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            skip(&format!("{} cannot be installed: {said}", self.name));
            return None;
        }
        std::fs::rename(&unfinished, &home).expect("into its place");
        Some(home)
    }

    /// Changes when anything does that it is made from, or the tool that runs it.
    fn state(&self) -> u64 {
        let entries = std::fs::read_dir(&self.folder).expect("its folder");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.extend_from_slice(self.made_from);
        files.sort();
        let mut hasher = DefaultHasher::new();
        let tool = self.tools[0];
        Command::new(tool).arg("--version").output().expect("it was found").stdout.hash(&mut hasher);
        for file in files {
            file.file_name().hash(&mut hasher);
            std::fs::read(&file).expect("a file").hash(&mut hasher);
        }
        hasher.finish()
    }
}
