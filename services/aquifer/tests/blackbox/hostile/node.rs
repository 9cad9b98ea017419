//! `Assaulted`: a node that something bad was sent to, and the proof that it took no harm.

use std::collections::BTreeMap;

use aquifer_wire::{ErrorCode, Records};

use crate::harness::{Node, data_dir};
use crate::wire::{Port, batch, create, fetch, produce};

/// What any round of bad requests may leave behind in memory: pools, caches and the allocator's habits.
pub(super) const GROWTH_MAX: u64 = 48 << 20;

pub(super) struct Assaulted {
    pub(super) node: Node,
    data: tempfile::TempDir,
    before: u64,
    next_offset: i64,
}

impl Assaulted {
    /// A node with a topic `steady` that has served already.
    pub(super) fn start() -> Assaulted {
        let data = data_dir();
        let node = Node::start(data.path());
        let mut assaulted = Assaulted { node, data, before: 0, next_offset: 0 };
        assaulted.create("steady", 2, &BTreeMap::new());
        assaulted.serves();
        assaulted.before = assaulted.node.resident_bytes();
        assaulted
    }

    /// The same data under a node that was started after a kill.
    pub(super) fn restarted(self) -> Assaulted {
        let Assaulted { node, data, next_offset, .. } = self;
        node.kill();
        let node = Node::start(data.path());
        let mut assaulted = Assaulted { node, data, before: 0, next_offset };
        assaulted.serves();
        assaulted.before = assaulted.node.resident_bytes();
        assaulted
    }

    pub(super) fn port(&self) -> Port {
        Port::open(&self.node.kafka)
    }

    pub(super) fn create(&self, name: &str, partitions: i32, configs: &BTreeMap<&str, &str>) {
        create(&mut self.port(), name, partitions, configs);
    }

    /// Whether a record still goes in and comes out, and `/readyz` agrees.
    pub(super) fn serves(&mut self) {
        assert!(self.node.is_ready(), "not ready; its log: {}", self.node.log());
        let mut port = self.port();
        let value = format!("record {}", self.next_offset);
        let produced = port.call(9, &produce("steady", 0, batch(value.as_bytes())));
        let produced = &produced.responses[0].partition_responses[0];
        assert_eq!((produced.error_code, produced.base_offset), (ErrorCode::NONE, self.next_offset));
        let fetched = port.call(12, &fetch("steady", 0, self.next_offset));
        let fetched =
            fetched.responses[0].partitions[0].records.as_ref().and_then(Records::as_bytes).cloned();
        let fetched = fetched.expect("records");
        assert!(
            fetched.windows(value.len()).any(|window| window == value.as_bytes()),
            "{value} is not there"
        );
        self.next_offset += 1;
    }

    /// Whether it serves as before and holds no more memory than `growth` above what it held.
    pub(super) fn unharmed(&mut self, growth: u64) {
        self.serves();
        let (before, after) = (self.before, self.node.resident_bytes());
        assert!(after <= before + growth, "memory grew from {before} to {after}");
    }
}
