//! The body of a request: JSON, within a limit.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::LengthLimitError;
use serde_json::Value;

use super::error::Error;
use crate::scim::protocol::fault::{Fault, ScimType};

/// The largest body that is read: 1 MB, as ServiceProviderConfig says.
pub const MAX_BYTES: usize = 1_048_576;

/// A JSON body.
pub struct Body(pub Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Error> {
        if !is_json(&request) {
            return Err(Error::UnsupportedMediaType);
        }
        if is_encoded(&request) {
            return Err(Error::UnsupportedEncoding);
        }
        let announced = request.headers().get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > MAX_BYTES) {
            return Err(Error::BodyTooLarge);
        }
        let bytes = to_bytes(request.into_body(), MAX_BYTES).await.map_err(|error| {
            if error.into_inner().is::<LengthLimitError>() {
                return Error::BodyTooLarge;
            }
            let detail = "The body broke off or is not framed as HTTP asks for.";
            Fault::new(ScimType::InvalidSyntax, detail).into()
        })?;
        // RFC 8259 8.1: parsers "MAY ignore the presence of a byte order mark".
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let value = serde_json::from_slice(text).map_err(|error| {
            Fault::new(ScimType::InvalidSyntax, format!("The body is not valid JSON: {error}."))
        })?;
        Ok(Self(value))
    }
}

/// RFC 9110 8.4: "identity" is no encoding.
fn is_encoded(request: &Request) -> bool {
    let encodings = request.headers().get_all(CONTENT_ENCODING).iter();
    let mut encodings = encodings.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    encodings.any(|name| !name.trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// `application/scim+json` is what RFC 7644 asks for, `application/json` what
/// Google and Okta send; whoever says nothing means one of them.
fn is_json(request: &Request) -> bool {
    let Some(value) = request.headers().get(CONTENT_TYPE) else { return true };
    let media_type = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let media_type = media_type.trim();
    ["application/scim+json", "application/json"]
        .iter()
        .any(|known| media_type.eq_ignore_ascii_case(known))
}
