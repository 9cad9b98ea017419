//! `AquiferAppendResponse`: where a batch stands, whether it stood there before, or what it would have had to be.

use crate::error_code::ErrorCode;
use crate::message::message;
use crate::text::Text;

message! {
    /// Where a batch stands, whether it stood there before, or what it would have had to be.
    AquiferAppendResponse { versions 0..=1, flexible from 0 }
    {
        throttle_time_ms: i32 [..];
        error_code: ErrorCode [..];
        error_message: Option<Text> [..];
        base_offset: i64 [..] = -1;
        log_start_offset: i64 [..] = -1;
        log_append_time_ms: i64 [..] = -1;
        // Whether the producer's batch of these sequences had been appended before.
        duplicate: bool [..];
        // Where the partition ends, if it was expected to end elsewhere; else -1.
        log_end_offset: i64 [..] = -1;
        // The producer's epoch that fences the batch's; else -1.
        producer_epoch: i16 [..] = -1;
        // The sequence that follows for the producer, if the batch's does not; else -1.
        expected_sequence: i32 [..] = -1;
        // The partition's fencing token, empty for none, if the request's is another one; else null.
        fencing_token: Option<Text> [1..];
    }
}
