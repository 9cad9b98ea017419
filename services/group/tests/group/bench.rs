//! Figures, printed on request: `cargo test --release -p aquifer-group -- --ignored --nocapture figures`.
