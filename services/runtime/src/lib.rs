//! What a program takes from its surroundings: clock, entropy, timers, named tasks and threads, shutdown.
//!
//! Nothing else in the workspace reads a clock, draws a random number or spawns (clippy's `disallowed-methods` sees to
//! it), so a simulation that hands out another `Runtime` owns time, chance and order.
#![forbid(unsafe_code)]

mod aside;
mod clock;
mod entropy;
mod process;
mod shutdown;
mod spawn;

pub use clock::{Monotonic, Now};
pub use shutdown::Shutdown;
pub use spawn::{Runtime, Task};
