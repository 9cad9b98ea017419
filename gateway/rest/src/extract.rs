//! Path and query parameters, refused as problems where they are not what they should be.

use aquifer_gateway::Code;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Refused;

/// What the path names.
pub(crate) struct Named<T>(pub(crate) T);

/// What the query says.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Named<T>, Refused> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        let Path(named) = path.map_err(|error| Refused::new(Code::InvalidParameter, error.body_text()))?;
        Ok(Named(named))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Asked<T>, Refused> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        let Query(asked) = query.map_err(|error| Refused::new(Code::InvalidParameter, error.body_text()))?;
        Ok(Asked(asked))
    }
}
