//! Uploads: a stretch of a log becomes an object, its own bytes first, then what explains them. And surveys: what became
//! of a cluster's log in a bucket.

mod bundle;
mod pack;
mod read;
mod repack;
mod survey;
mod upload;

pub use bundle::{Bundled, bundle};
pub use pack::{PackError, Packed, Source, Surroundings, pack};
pub use read::{FoundObject, SurveyError, check_chunk, copy_range, read_bundle, read_footer, read_state};
pub use repack::{Renamed, repack};
pub use survey::{Survey, clusters, survey};
pub use upload::{UploadError, upload, upload_bundle};
