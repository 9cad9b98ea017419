//! `Mounted`: a real file system of its own in a file, which can fill up and lose power.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{data_dir, pause, say};

pub(crate) struct Mounted {
    /// Holds the image and the mount point, until neither is used.
    _folder: tempfile::TempDir,
    image: PathBuf,
    point: PathBuf,
}

impl Mounted {
    /// A fresh file system; why there is none where the kernel or our rights do not allow it.
    pub(crate) fn new(kind: &str, mebibytes: u64) -> Result<Mounted, String> {
        let folder = data_dir();
        let (image, point) = (folder.path().join("image"), folder.path().join("mounted"));
        std::fs::create_dir(&point).map_err(|error| error.to_string())?;
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(mebibytes << 20).map_err(|error| error.to_string())?;
        let force = if kind == "xfs" { "-f" } else { "-F" };
        command(Command::new(format!("mkfs.{kind}")).args(["-q", force]).arg(&image))?;
        let mounted = Mounted { _folder: folder, image, point };
        mounted.mount()?;
        Ok(mounted)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.point
    }

    /// The file system stops at once: nothing that was not written yet reaches the image, not even its own log.
    pub(crate) fn cut_power(&self) {
        command(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&self.point))
            .expect("the power is cut");
    }

    /// Mounts again what the image holds; whoever used it must be gone.
    pub(crate) fn come_back(&self) {
        command(Command::new("umount").arg(&self.point)).expect("nobody uses it");
        self.mount().expect("its log is replayed");
    }

    fn is_mounted(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|point| Path::new(point) == self.point))
    }

    fn mount(&self) -> Result<(), String> {
        command(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.point))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A node that was just killed may hold it for a moment; the loop device goes with the last user.
        for _ in 0..200 {
            let unmounted = command(Command::new("umount").arg(&self.point));
            if unmounted.is_ok() || !self.is_mounted() {
                return;
            }
            pause();
        }
        let _ = command(Command::new("umount").arg("--lazy").arg(&self.point));
    }
}

/// Says that a test proves nothing on a kernel that lends no loop devices; that is no fault of the set-up.
pub(crate) fn skip_without_mounts(reason: &str) {
    say(&format!("skipped: no file system can be mounted here: {reason}"));
}

fn command(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr).trim()))
}
