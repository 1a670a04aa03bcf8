//! The layer that finds out which identity provider calls.

use std::collections::HashMap;

use axum::extract::{Path, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;

use super::error::Error;
use crate::auth::Authenticator;

/// Lets through who shows the token of the configuration in the path.
pub async fn authenticate(
    State(authenticator): State<Authenticator>,
    Path(path): Path<HashMap<String, String>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let id = path.get("configuration").and_then(|id| id.parse().ok());
    let client = authenticator.scim_client(id, header).await?;
    request.extensions_mut().insert(client);
    Ok(next.run(request).await)
}
