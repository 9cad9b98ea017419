//! Uploads: a stretch of a log becomes an object, its own bytes first, then what explains them.

mod pack;
mod upload;

pub use pack::{PackError, Packed, Source, Surroundings, pack};
pub use upload::{UploadError, upload};
