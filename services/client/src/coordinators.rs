//! `Coordinators`: which broker answered last for a group.

use std::collections::BTreeMap;

use aquifer_types::NodeId;

/// Programs that speak for many groups ask again for those beyond.
const GROUPS_MAX: usize = 10_000;

/// Group coordinators as they were last found.
#[derive(Debug, Default)]
pub(crate) struct Coordinators(BTreeMap<String, NodeId>);

impl Coordinators {
    pub(crate) fn of(&self, group: &str) -> Option<NodeId> {
        self.0.get(group).copied()
    }

    pub(crate) fn learn(&mut self, group: &str, node: NodeId) {
        if self.0.len() >= GROUPS_MAX && !self.0.contains_key(group) {
            self.0.pop_first();
        }
        self.0.insert(group.to_owned(), node);
    }

    pub(crate) fn forget(&mut self, group: &str) {
        self.0.remove(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_groups_are_kept() {
        let mut coordinators = Coordinators::default();

        for number in 0..=GROUPS_MAX {
            coordinators.learn(&format!("{number:06}"), NodeId(1));
        }
        coordinators.forget("000001");

        assert_eq!(coordinators.0.len(), GROUPS_MAX - 1);
        assert_eq!((coordinators.of("000000"), coordinators.of("000001")), (None, None));
        assert_eq!(coordinators.of("010000"), Some(NodeId(1)));
    }
}
