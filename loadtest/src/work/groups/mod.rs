//! What runs against a server's groups.

mod commits;
mod crowd;
mod departure;
mod idle_consumers;
mod member;
mod members;
mod reload;

pub use commits::commits;
pub use departure::departure;
pub use idle_consumers::idle_consumers;
pub use members::members;
pub use reload::reload;
