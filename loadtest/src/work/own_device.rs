//! `OwnDevice`: a file system on a loop device, whose counters show what one server writes and nothing else.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::system::sync_everything;

const BYTES: u64 = 24 << 30;

/// A mounted file system; unmounted and deleted with this.
pub struct OwnDevice {
    image: PathBuf,
    mounted: PathBuf,
}

impl OwnDevice {
    /// Makes and mounts one below `directory`, which takes root and the tools of ext4.
    pub fn mount(directory: &Path) -> Result<OwnDevice> {
        let (image, mounted) = (directory.join("device"), directory.join("mounted"));
        let file = File::create(&image).with_context(|| format!("create {}", image.display()))?;
        file.set_len(BYTES).context("size the device")?;
        std::fs::create_dir_all(&mounted)?;
        let mut format = Command::new("mkfs.ext4");
        // Nothing is left for later, as it would count as the server's.
        format.args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]).arg(&image);
        run(format)?;
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(&image).arg(&mounted);
        run(mount)?;
        Ok(OwnDevice { image, mounted })
    }

    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Everything written so far has reached its device.
    pub fn settle() {
        sync_everything();
    }
}

impl Drop for OwnDevice {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        unmount.arg(&self.mounted);
        if let Err(error) = run(unmount) {
            eprintln!("{error:#}");
        }
        // Goes with the directory it is in, if not here.
        let _ = std::fs::remove_file(&self.image);
    }
}

fn run(mut command: Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("run {name}"))?;
    ensure!(output.status.success(), "{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
