//! Groups of the consumer protocol (KIP-848): the coordinator assigns, members follow at their own pace.

mod check;
mod group;
mod guest;
mod handover;
mod heartbeat;
mod leave;
mod owners;
mod reconcile;
mod stored;
mod target;
mod timers;

pub(crate) use group::ConsumerGroup;
pub(crate) use guest::PROTOCOL_TYPE;
