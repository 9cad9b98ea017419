//! Classic.
