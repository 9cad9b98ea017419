//! Sessions: memberships of consumer groups that any gateway serves.
//!
//! Everything a session is stands in its token, at the group's coordinator and in the log. [`aquifer_session::Poll`] decides
//! what a request asks of the coordinator; here it is asked. Heartbeats are sent inside requests alone: a client that
//! falls silent loses its partitions when its session is over.

mod drive;
mod membership;
mod names;
mod open;
mod poll;
mod requests;

pub(crate) use drive::Drive;
pub use drive::Held;
pub(crate) use drive::{refused_cursor, refused_token};
pub(crate) use open::group_name;
pub use open::{NewSession, Opened};
pub use poll::{Moved, PollRequest, Polled};
pub use requests::{Acknowledged, Target};
