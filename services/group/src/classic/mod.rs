//! Groups of the classic protocol: the members agree among themselves, the coordinator keeps order.

mod admit;
mod commit;
mod group;
mod handover;
mod join;
mod leave;
mod member;
mod rebalance;
mod statics;
mod stored;
mod sync;

pub(crate) use admit::check as check_join;
pub(crate) use group::ClassicGroup;
pub(crate) use handover::Handover;
