//! `Floor`: the oldest generation whose records are needed, kept in a file of its own.
//!
//! A file that is used again may be caught by a power cut half old and half new. Without the floor that would look like
//! damage to records that are needed.

use std::path::Path;

use aquifer_disk::{Disk, DiskError};

use crate::recover::WalError;

const MAGIC: &[u8; 4] = b"AQWF";
const VERSION: u32 = 1;
const BYTES: usize = 20;

/// Generations below it are not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Floor(pub(crate) u64);

impl Floor {
    /// Makes the floor durable, away from whoever waits for the log.
    pub fn write(self, disk: &dyn Disk, folder: &Path) -> Result<(), DiskError> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.0.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        disk.replace(&folder.join("floor"), &bytes)
    }

    /// The floor last written; the first generation if none ever was.
    pub(crate) fn read(disk: &dyn Disk, folder: &Path) -> Result<Floor, WalError> {
        let path = folder.join("floor");
        let bytes = match disk.read(&path, BYTES as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(Floor(1)),
            Err(error) => return Err(error.into()),
        };
        let whole = bytes.len() == BYTES
            && bytes.starts_with(MAGIC)
            && bytes[4..8] == VERSION.to_le_bytes()
            && bytes[16..] == crc32c::crc32c(&bytes[..16]).to_le_bytes();
        match bytes.get(8..16).and_then(|number| number.try_into().ok()) {
            Some(number) if whole => Ok(Floor(u64::from_le_bytes(number))),
            _ => Err(WalError::Corrupt { path, at: 0 }),
        }
    }
}
