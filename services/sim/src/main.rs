//! The program `aquifer-sim`: runs seeds, and takes even the system's randomness away from them.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser as _;

static DRAWS: AtomicU64 = AtomicU64::new(0);

/// Stands in front of the C library's `getrandom`, from which std seeds its hash maps and tokio its scheduler: a process
/// that runs a seed must be the same each time. std looks this symbol up so that it can be replaced.
///
/// # Safety
///
/// `buffer` must be writable for `length` bytes, as for the function that this stands in front of.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    for at in 0..length {
        let draw = DRAWS.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // SAFETY: the caller says that so many bytes can be written.
        unsafe { buffer.add(at).write((draw >> 56) as u8) };
    }
    length.cast_signed()
}

fn main() -> ExitCode {
    aquifer_sim::run(&aquifer_sim::Arguments::parse())
}
