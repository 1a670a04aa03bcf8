//! What a client can ask of the server about the server (RFC 7644 4).

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::json;

use super::SCIM_JSON;

/// `GET /ServiceProviderConfig` (RFC 7643 5): nothing but what is true.
pub async fn service_provider_config() -> impl IntoResponse {
    let unsupported = json!({ "supported": false });
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": unsupported,
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": false, "maxResults": 0 },
        "changePassword": unsupported,
        "sort": unsupported,
        "etag": unsupported,
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token of the SCIM configuration, in the Authorization header",
        }],
        "meta": { "resourceType": "ServiceProviderConfig" },
    });
    ([(CONTENT_TYPE, SCIM_JSON)], body.to_string())
}
