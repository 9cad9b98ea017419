//! Server-side assignors: who in a consumer group gets which partitions.

mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_types::TopicId;

use crate::input::Topics;
use crate::names::MemberId;
use crate::record::Partitions;

/// An assignor that members may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// Balanced over all topics, moving as little as it can.
    #[default]
    Uniform,
    /// Neighbouring partitions of each topic together.
    Range,
}

/// A member as assignors see it.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    pub topics: BTreeSet<TopicId>,
    pub rack: Option<Arc<str>>,
    /// What it was to have before.
    pub held: Partitions,
    /// What static members are sorted by, whatever ids they run under.
    pub instance: Option<Arc<str>>,
}

impl Assignor {
    /// The assignor of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Assignor> {
        match name {
            "uniform" => Some(Assignor::Uniform),
            "range" => Some(Assignor::Range),
            _ => None,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// Gives each partition of `sizes` to one of the members that subscribe to its topic.
    #[must_use]
    pub fn assign(
        self,
        members: &BTreeMap<MemberId, Candidate>,
        sizes: &BTreeMap<TopicId, i32>,
        topics: &dyn Topics,
    ) -> BTreeMap<MemberId, Partitions> {
        match self {
            Assignor::Uniform => uniform::assign(members, sizes, topics),
            Assignor::Range => range::assign(members, sizes),
        }
    }
}
