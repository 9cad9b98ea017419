//! `InitProducerIdRequest`: a request for a producer id and epoch.

use crate::message::message;
use crate::text::Text;

message! {
    /// A request for a producer id and epoch.
    InitProducerIdRequest { versions 0..=5, flexible from 2 }
    {
        transactional_id: Option<Text> [..] = Some(Text::EMPTY);
        transaction_timeout_ms: i32 [..];
        producer_id: i64 [3..] = -1;
        producer_epoch: i16 [3..] = -1;
    }
}
