//! Uploads: a stretch of a log becomes an object, its own bytes first, then what explains them. And surveys: what became
//! of a cluster's log in a bucket.

mod pack;
mod survey;
mod upload;

pub use pack::{PackError, Packed, Source, Surroundings, pack};
pub use survey::{FoundObject, Survey, SurveyError, check_chunk, clusters, read_footer, read_state, survey};
pub use upload::{UploadError, upload};
