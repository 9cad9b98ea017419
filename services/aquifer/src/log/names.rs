//! `Names`: what the topics of a directory are called, as far as its metadata can be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use aquifer_disk::RealDisk;
use aquifer_hotlog::inspect::Inspection;
use aquifer_types::{TopicId, TopicPartition};

/// Names of topics by their ids.
pub(super) struct Names {
    names: BTreeMap<TopicId, String>,
    /// Why the metadata cannot be read, if it cannot.
    pub(super) problem: Option<String>,
}

impl Names {
    pub(super) fn read(inspection: &Inspection<'_>) -> Names {
        let raft = inspection.layout().raft();
        match aquifer_quorum::inspect(Arc::new(RealDisk), &raft, inspection.meta.directory) {
            Ok(image) => {
                let names = image.topics().map(|topic| (topic.id(), topic.name().to_string())).collect();
                Names { names, problem: None }
            }
            Err(error) => {
                Names { names: BTreeMap::new(), problem: Some(format!("{}: {error}", raft.display())) }
            }
        }
    }

    /// The id of a topic that is called by its name or its id.
    pub(super) fn find(&self, topic: &str) -> Result<TopicId> {
        let named = self.names.iter().find(|(_, name)| *name == topic).map(|(id, _)| *id);
        let found = named.or_else(|| topic.parse().ok());
        found.ok_or_else(|| anyhow::anyhow!("there is no topic {topic}: `aquifer log verify DIR` lists all"))
    }

    /// The topic's name, or its id where it has none any more.
    pub(super) fn topic(&self, id: TopicId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    pub(super) fn partition(&self, id: TopicPartition) -> String {
        format!("{}-{}", self.topic(id.topic), id.partition)
    }
}
