//! `DescribeClusterRequest`: a question for the cluster, its brokers or its controllers.

use crate::message::message;

message! {
    /// A question for the cluster, its brokers or its controllers.
    DescribeClusterRequest { versions 0..=2, flexible from 0 }
    {
        include_cluster_authorized_operations: bool [..];
        endpoint_type: i8 [1..] = 1;
        include_fenced_brokers: bool [2..];
    }
}
