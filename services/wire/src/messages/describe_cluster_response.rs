//! `DescribeClusterResponse`: the cluster, its brokers and its controller.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// The cluster, its brokers and its controller.
    DescribeClusterResponse { versions 0..=2, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..];
        endpoint_type: i8 [1..] = 1;
        cluster_id: Text [..];
        controller_id: i32 [..] = -1;
        brokers: Vec<DescribeClusterBroker> [..];
        cluster_authorized_operations: i32 [..] = i32::MIN;
    }

    DescribeClusterBroker {
        broker_id: i32 [..];
        host: Text [..];
        port: i32 [..];
        rack: Option<Text> [..];
        is_fenced: bool [2..];
    }
}
