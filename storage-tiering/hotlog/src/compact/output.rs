//! `Output`: the segment that takes the place of others, written aside and committed by renaming its index.

use std::io::IoSlice;
use std::path::{Path, PathBuf};

use aquifer_disk::{DiskError, FileHandle, OpenMode};
use aquifer_record::BatchHeader;
use aquifer_types::{BatchEpoch, Offset};

use super::cleaning::CleaningError;
use crate::format::{IndexFile, SegmentName, Suffix};
use crate::log::{FilePool, Segment, SegmentFile};

/// A segment in the making.
#[derive(Debug)]
pub(super) struct Output {
    segment: Segment,
    file: FileHandle,
    /// A name that recovery removes: a segment of a higher generation is whole wherever it is found.
    aside: PathBuf,
    written: u64,
    buffer: Vec<u8>,
}

impl Output {
    /// One that will stand for `sources`, which are neighbours.
    pub(super) fn create(files: &FilePool, sources: &[Segment]) -> Result<Output, DiskError> {
        let first = &sources[0];
        let newest = sources.iter().map(|source| source.name().generation).max().unwrap_or(0);
        let name = SegmentName { base: first.summary.base, generation: newest + 1 };
        let id = first.file.id;
        let aside = aside(&files.layout().segment(id, name, Suffix::Log));
        let file = files.disk().open(&aside, OpenMode::Create)?;
        file.set_size(0).map_err(|source| failed("truncate", &aside, source))?;
        let mut segment = Segment::empty(id, name.base);
        segment.file = SegmentFile::new(id, name);
        Ok(Output { segment, file, aside, written: 0, buffer: Vec::new() })
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), CleaningError> {
        let header = BatchHeader::parse(bytes).expect("a batch that was read or built");
        if self.segment.summary.bytes + bytes.len() as u64 > u64::from(u32::MAX) {
            return Err(CleaningError::TooLarge { segment: self.segment.summary.base });
        }
        self.segment.push(&header, self.segment.summary.last_append);
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what was pushed, and says how much that was. The device gets to it in the background, so that the sync at the end is short.
    pub(super) fn write(&mut self) -> Result<u64, CleaningError> {
        let bytes = self.buffer.len() as u64;
        self.file.write_at(self.written, &[IoSlice::new(&self.buffer)])?;
        self.file.begin_write_back(self.written, bytes);
        self.written += bytes;
        self.buffer.clear();
        Ok(bytes)
    }

    /// Makes the output durable under its name, and with the rename of its index the sources obsolete. After this any
    /// start finds the output; after a failure it finds the sources, or both.
    pub(super) fn commit(
        &mut self,
        files: &FilePool,
        sources: &[Segment],
        known_upto: Offset,
    ) -> Result<Segment, CleaningError> {
        let (disk, layout) = (files.disk(), files.layout());
        self.summarize(sources, known_upto)?;
        let (id, name) = (self.segment.file.id, self.segment.name());
        let log = layout.segment(id, name, Suffix::Log);
        self.file.sync().map_err(|source| CleaningError::Sync(failed("sync", &self.aside, source)))?;
        let index = layout.segment(id, name, Suffix::Index);
        let index_aside = aside(&index);
        let entries = self.segment.index.as_deref().cloned().unwrap_or_default();
        let summary = self.segment.summary.clone();
        let contents = IndexFile { summary: summary.clone(), entries }.encode();
        let file = disk.open(&index_aside, OpenMode::Create)?;
        file.set_size(0).map_err(|source| failed("truncate", &index_aside, source))?;
        file.write_at(0, &[IoSlice::new(&contents)])?;
        file.sync().map_err(|source| CleaningError::Sync(failed("sync", &index_aside, source)))?;
        disk.rename(&self.aside, &log)?;
        disk.rename(&index_aside, &index)?;
        disk.sync_dir(&layout.partition(id)).map_err(CleaningError::Sync)?;
        Ok(Segment::sealed(self.segment.file.clone(), summary))
    }

    /// Removes whatever there is of it.
    pub(super) fn discard(&self, files: &FilePool) {
        let (id, name) = (self.segment.file.id, self.segment.name());
        let index = files.layout().segment(id, name, Suffix::Index);
        let log = files.layout().segment(id, name, Suffix::Log);
        // The index first: without it the sources count.
        for path in [&index, &aside(&index), &log, &self.aside] {
            // Often there is none, and what stays is removed by recovery.
            let _ = files.disk().remove_file(path);
        }
    }

    /// The times and epochs of the sources: the log remembers them though their records may be gone.
    fn summarize(&mut self, sources: &[Segment], known_upto: Offset) -> Result<(), CleaningError> {
        let end = sources[sources.len() - 1].summary.end;
        let summary = &mut self.segment.summary;
        if summary.end != end {
            return Err(CleaningError::Damaged { segment: summary.base, position: summary.bytes });
        }
        summary.clean_upto = known_upto.min(end);
        let all = || sources.iter().map(|source| &source.summary);
        summary.first_append = all().map(|summary| summary.first_append).min().unwrap_or_default();
        summary.last_append = all().map(|summary| summary.last_append).max().unwrap_or_default();
        let mut epochs: Vec<(BatchEpoch, Offset)> = Vec::new();
        for (epoch, start) in all().flat_map(|summary| &summary.epochs) {
            if epochs.last().is_none_or(|(last, _)| last < epoch) {
                epochs.push((*epoch, *start));
            }
        }
        summary.epochs = epochs;
        Ok(())
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

fn failed(attempted: &'static str, path: &Path, source: std::io::Error) -> DiskError {
    DiskError { attempted, path: path.to_owned(), source }
}
