//! Ids of clusters, nodes, directories, topics, partitions and producers.

use std::fmt;
use std::str::FromStr;

use crate::uuid::{InvalidUuid, Uuid};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidUuid;

            fn from_str(text: &str) -> Result<$name, InvalidUuid> {
                text.parse().map($name)
            }
        }
    };
}

uuid_id!(
    /// One cluster, for ever.
    ClusterId
);
uuid_id!(
    /// One incarnation of a topic: a topic that is deleted and made again has another.
    TopicId
);
uuid_id!(
    /// One data directory, whatever path it is mounted at.
    DirectoryId
);
uuid_id!(
    /// One run of a broker process.
    Incarnation
);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A broker or controller; zero or more, never reused.
    NodeId(i32)
);
number_id!(
    /// A partition's number within its topic.
    PartitionIndex(i32)
);
number_id!(
    /// A producer, unique in the cluster and among its linked clusters.
    ProducerId(i64)
);

/// One partition of one incarnation of a topic: what log, replica and quorum call a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: TopicId,
    pub partition: PartitionIndex,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
