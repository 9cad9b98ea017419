//! `Layout`: where everything is in a data directory.

use std::path::{Path, PathBuf};

use aquifer_types::{Offset, TopicId, TopicPartition};

/// A data directory's paths.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

/// Which of a segment's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suffix {
    Log,
    Index,
    Producers,
}

/// A segment's name: its first offset, and how often it was rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    pub base: Offset,
    pub generation: u32,
}

impl Suffix {
    fn text(self) -> &'static str {
        match self {
            Suffix::Log => "log",
            Suffix::Index => "idx",
            Suffix::Producers => "producers",
        }
    }
}

impl SegmentName {
    #[must_use]
    pub fn file_name(self, suffix: Suffix) -> String {
        format!("{:020}-{}.{}", self.base.0, self.generation, suffix.text())
    }

    /// The segment and file kind a name stands for; `None` for foreign files.
    #[must_use]
    pub fn parse(file_name: &str) -> Option<(SegmentName, Suffix)> {
        let (stem, suffix) = file_name.split_once('.')?;
        let suffix = [Suffix::Log, Suffix::Index, Suffix::Producers]
            .into_iter()
            .find(|known| known.text() == suffix)?;
        let (base, generation) = stem.split_once('-')?;
        let base = (base.len() == 20).then(|| base.parse().ok())??;
        let name = SegmentName { base: Offset(base), generation: generation.parse().ok()? };
        (name.file_name(suffix) == file_name).then_some((name, suffix))
    }
}

impl Layout {
    pub fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into() }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn meta(&self) -> PathBuf {
        self.root.join("meta")
    }

    /// The ids of a directory whose cluster is being made; it becomes `meta` once there is one.
    #[must_use]
    pub fn founding(&self) -> PathBuf {
        self.root.join("founding")
    }

    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    #[must_use]
    pub fn clean(&self) -> PathBuf {
        self.root.join("clean")
    }

    #[must_use]
    pub fn marks(&self) -> PathBuf {
        self.root.join("marks")
    }

    #[must_use]
    pub fn wal(&self) -> PathBuf {
        self.root.join("wal")
    }

    #[must_use]
    pub fn raft(&self) -> PathBuf {
        self.root.join("raft")
    }

    /// Checkpoints of consumer groups.
    #[must_use]
    pub fn groups(&self) -> PathBuf {
        self.root.join("groups")
    }

    /// Chunks of what only the bucket has, for those who read them.
    #[must_use]
    pub fn cold(&self) -> PathBuf {
        self.root.join("cold")
    }

    #[must_use]
    pub fn partitions(&self) -> PathBuf {
        self.root.join("partitions")
    }

    #[must_use]
    pub fn topic(&self, topic: TopicId) -> PathBuf {
        self.partitions().join(topic.to_string())
    }

    #[must_use]
    pub fn partition(&self, id: TopicPartition) -> PathBuf {
        self.topic(id.topic).join(id.partition.to_string())
    }

    #[must_use]
    pub fn segment(&self, id: TopicPartition, name: SegmentName, suffix: Suffix) -> PathBuf {
        self.partition(id).join(name.file_name(suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segments_name_reads_back_and_no_other_does() {
        let name = SegmentName { base: Offset(42), generation: 3 };

        assert_eq!(name.file_name(Suffix::Index), "00000000000000000042-3.idx");
        assert_eq!(SegmentName::parse("00000000000000000042-3.idx"), Some((name, Suffix::Index)));
        for foreign in ["42-3.idx", "00000000000000000042.log", "00000000000000000042-03.log", "x", ""] {
            assert_eq!(SegmentName::parse(foreign), None, "{foreign}");
        }
    }
}
