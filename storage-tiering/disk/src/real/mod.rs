//! The machine's own file system.

mod disk;
mod file;

pub use disk::RealDisk;
