//! `InitProducerIdResponse`: the producer id and epoch granted.

use crate::error_code::ErrorCode;
use crate::message::message;

message! {
    /// The producer id and epoch granted.
    InitProducerIdResponse { versions 0..=5, flexible from 2 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        producer_id: i64 [..] = -1;
        producer_epoch: i16 [..];
    }
}
