//! Offsets.
