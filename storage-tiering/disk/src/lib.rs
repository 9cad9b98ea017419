//! All file I/O of the broker: the `Disk` trait, its real side and its simulated side.
