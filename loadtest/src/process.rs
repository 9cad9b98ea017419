//! What `/proc` and `/sys` say of a process, of the whole machine and of a device.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::system::ticks_per_second;

/// What a process has used since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and kernel, in seconds of one core.
    pub cpu_seconds: f64,
    pub user_seconds: f64,
    pub resident_bytes: u64,
    pub resident_bytes_max: u64,
}

impl Usage {
    pub fn of(pid: u32) -> Result<Usage> {
        let (user_seconds, system) = cpu_seconds(&read(&format!("/proc/{pid}/stat"))?)
            .with_context(|| format!("read the processor time of process {pid}"))?;
        let status = read(&format!("/proc/{pid}/status"))?;
        Ok(Usage {
            cpu_seconds: user_seconds + system,
            user_seconds,
            resident_bytes: status_bytes(&status, "VmRSS:"),
            resident_bytes_max: status_bytes(&status, "VmHWM:"),
        })
    }

    pub fn of_self() -> Result<Usage> {
        Usage::of(std::process::id())
    }
}

/// Seconds that all processes together have spent in user mode, and that the host took away.
pub fn machine_user_seconds() -> Result<f64> {
    let stat = read("/proc/stat")?;
    machine_ticks(&stat).map(|ticks| ticks / ticks_per_second()).context("read /proc/stat")
}

/// Bytes written so far to the device under `path`.
pub fn device_bytes_written(path: &Path) -> Result<u64> {
    let device = fs::metadata(path).with_context(|| format!("look at {}", path.display()))?.dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let stat = PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"));
    let text = fs::read_to_string(&stat).with_context(|| format!("read {}", stat.display()))?;
    sectors_written(&text).map(|sectors| sectors * 512).context("read the device's counters")
}

/// The processors' share of time that others than these used in user mode, between two looks at the machine.
pub fn share_of_others(machine: f64, known: f64, elapsed_seconds: f64) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    ((machine - known) / (elapsed_seconds * processors)).max(0.0)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {path}"))
}

/// User and system time from `/proc/PID/stat`; the program's name, in parentheses, may hold anything.
fn cpu_seconds(stat: &str) -> Option<(f64, f64)> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user / ticks_per_second(), system / ticks_per_second()))
}

fn status_bytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

fn machine_ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    let user: f64 = fields.next()?.parse().ok()?;
    let nice: f64 = fields.next()?.parse().ok()?;
    let stolen: f64 = fields.nth(5)?.parse().ok()?;
    Some(user + nice + stolen)
}

fn sectors_written(stat: &str) -> Option<u64> {
    stat.split_ascii_whitespace().nth(6)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 9 0 100 1000 10";

        let (user, system) = cpu_seconds(stat).expect("parses");

        assert_eq!((user * ticks_per_second(), system * ticks_per_second()), (250.0, 50.0));
    }

    #[test]
    fn counters_are_read_from_their_columns() {
        assert_eq!(status_bytes("Name:\tx\nVmHWM:\t  20 kB\nVmRSS:\t  10 kB\n", "VmRSS:"), 10 * 1024);
        assert_eq!(machine_ticks("cpu  10 1 20 30 4 5 6 7 0 0\ncpu0 1"), Some(18.0));
        assert_eq!(sectors_written("  1 2 3 4 5 6 777 8 9 10 11"), Some(777));
    }

    #[test]
    fn this_process_has_used_memory() {
        assert!(Usage::of_self().expect("readable").resident_bytes > 0);
    }
}
