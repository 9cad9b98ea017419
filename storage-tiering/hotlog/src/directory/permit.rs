//! `CleaningPermit`: one cleaning at a time, and none beside a deletion of the partition or a close of the directory.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use aquifer_disk::DiskError;

use super::command::LogHandle;
use super::handle::{Directory, Health};
use super::job::{delete_partition, delete_replaced};
use crate::log::SegmentFile;

/// Who may touch a partition's files beside the writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Claim {
    #[default]
    Free,
    Cleaning,
    /// Deleted: a cleaning that is under way removes the files at its end.
    Deleted,
}

/// Held while a log is cleaned.
#[derive(Debug)]
pub struct CleaningPermit {
    directory: Directory,
    log: Arc<LogHandle>,
}

/// Segments that were replaced. Readers may still be about to open them.
#[derive(Debug, Default)]
pub(super) struct Retired(Mutex<Vec<Arc<SegmentFile>>>);

impl LogHandle {
    /// The partition was deleted. `true` if its files may go at once; otherwise the cleaning under way removes them.
    pub(super) fn give_up_files(&self) -> bool {
        let mut claim = self.claim.lock().expect("claiming does not panic");
        std::mem::replace(&mut *claim, Claim::Deleted) != Claim::Cleaning
    }
}

impl Directory {
    /// Lets one cleaning begin; `None` while another is under way, the directory closes or is offline, or the
    /// partition is deleted.
    #[must_use]
    pub fn begin_cleaning(&self, log: &Arc<LogHandle>) -> Option<CleaningPermit> {
        if self.health() == Health::Offline || self.shared.cleaning.swap(true, Ordering::SeqCst) {
            return None;
        }
        let mut claim = log.claim.lock().expect("claiming does not panic");
        // Asked after the cleaning was announced: a close that has begun since waits for it.
        if *claim != Claim::Free || self.shared.closing.load(Ordering::SeqCst) {
            self.shared.cleaning.store(false, Ordering::SeqCst);
            return None;
        }
        *claim = Claim::Cleaning;
        drop(claim);
        Some(CleaningPermit { directory: self.clone(), log: log.clone() })
    }

    /// Replaced files go once no reader is about to open them.
    pub(crate) fn retire(&self, files: impl Iterator<Item = Arc<SegmentFile>>) {
        self.shared.retired.0.lock().expect("retiring does not panic").extend(files);
    }

    /// Removes replaced segments' files that nobody is about to open. May wait for the disk.
    pub fn sweep(&self) {
        self.remove_retired(|file| Arc::strong_count(file) == 1);
    }

    /// Removes all of them, where nothing is read any more.
    pub(super) fn sweep_all(&self) {
        self.remove_retired(|_| true);
    }

    fn remove_retired(&self, may_go: impl Fn(&Arc<SegmentFile>) -> bool) {
        let mut retired = self.shared.retired.0.lock().expect("retiring does not panic");
        let (gone, waiting) = std::mem::take(&mut *retired).into_iter().partition::<Vec<_>, _>(may_go);
        *retired = waiting;
        drop(retired);
        for file in gone {
            if let Err(error) = delete_replaced(self.files(), &file) {
                // Only space: recovery removes it too.
                tracing::warn!(%error, "a replaced segment stays on the disk");
            }
        }
    }
}

impl CleaningPermit {
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Whether the cleaning should end now.
    pub(crate) fn is_revoked(&self) -> bool {
        let deleted = *self.log.claim.lock().expect("claiming does not panic") == Claim::Deleted;
        let shared = &self.directory.shared;
        deleted || shared.closing.load(Ordering::SeqCst) || self.directory.health() == Health::Offline
    }

    fn end(&self) -> Result<(), DiskError> {
        self.directory.sweep();
        let mut claim = self.log.claim.lock().expect("claiming does not panic");
        if *claim == Claim::Deleted {
            return delete_partition(self.directory.files(), self.log.id);
        }
        *claim = Claim::Free;
        Ok(())
    }
}

impl Drop for CleaningPermit {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(partition = %self.log.id, %error, "a deleted partition's files stay on the disk");
        }
        self.directory.shared.cleaning.store(false, Ordering::SeqCst);
    }
}
