//! What a client can ask of the server about the server (RFC 7644 4): nothing
//! but what is true.

use axum::extract::RawQuery;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body;
use super::bulk;
use super::client::{Client, Id};
use super::error::Error;
use super::parameters::{MAX_COUNT, Parameters};
use crate::scim::protocol::schema::{RESOURCE_TYPES, ResourceType, SCHEMAS, Schema};

/// `/ServiceProviderConfig` (RFC 7643 5, RFC 9865 4).
pub async fn service_provider_config(
    client: Client,
    RawQuery(query): RawQuery,
) -> Result<Answer, Error> {
    refuse_filter(query.as_deref())?;
    let supported = json!({ "supported": true });
    Ok(answer(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": supported,
        "bulk": {
            "supported": true,
            "maxOperations": bulk::MAX_OPERATIONS,
            "maxPayloadSize": body::MAX_BYTES,
        },
        "filter": { "supported": true, "maxResults": MAX_COUNT },
        "changePassword": { "supported": false },
        "sort": supported,
        "etag": supported,
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "maxPageSize": MAX_COUNT,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token of the SCIM configuration, in the Authorization header",
            "primary": true,
        }],
        "meta": meta(&client, "ServiceProviderConfig", "/ServiceProviderConfig"),
    })))
}

/// `/ResourceTypes` (RFC 7643 6).
pub async fn resource_types(client: Client, RawQuery(query): RawQuery) -> Result<Answer, Error> {
    refuse_filter(query.as_deref())?;
    let types: Vec<_> = RESOURCE_TYPES.iter().map(|of| describe_type(&client, of)).collect();
    Ok(list(&types))
}

/// `/ResourceTypes/{name}`.
pub async fn resource_type(
    client: Client,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Answer, Error> {
    refuse_filter(query.as_deref())?;
    let of = RESOURCE_TYPES.iter().find(|of| of.name.eq_ignore_ascii_case(&id));
    let of = of.ok_or_else(|| Error::not_found("ResourceType", id))?;
    Ok(answer(describe_type(&client, of)))
}

/// `/Schemas` (RFC 7643 7).
pub async fn schemas(client: Client, RawQuery(query): RawQuery) -> Result<Answer, Error> {
    refuse_filter(query.as_deref())?;
    let schemas: Vec<_> = SCHEMAS.iter().map(|schema| describe_schema(&client, schema)).collect();
    Ok(list(&schemas))
}

/// `/Schemas/{urn}`.
pub async fn schema(
    client: Client,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Answer, Error> {
    refuse_filter(query.as_deref())?;
    let schema = SCHEMAS.iter().find(|schema| schema.id.eq_ignore_ascii_case(&id));
    let schema = schema.ok_or_else(|| Error::not_found("Schema", id))?;
    Ok(answer(describe_schema(&client, schema)))
}

fn describe_type(client: &Client, of: &ResourceType) -> Value {
    let extensions = of.extensions.iter();
    let extensions: Vec<_> =
        extensions.map(|schema| json!({ "schema": schema.id, "required": false })).collect();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": of.name,
        "name": of.name,
        "description": of.description,
        "endpoint": of.endpoint,
        "schema": of.schema.id,
        "schemaExtensions": extensions,
        "meta": meta(client, "ResourceType", &format!("/ResourceTypes/{}", of.name)),
    })
}

fn describe_schema(client: &Client, schema: &Schema) -> Value {
    let mut json = schema.to_json();
    json["meta"] = meta(client, "Schema", &format!("/Schemas/{}", schema.id));
    json
}

fn meta(client: &Client, resource_type: &str, path: &str) -> Value {
    json!({ "resourceType": resource_type, "location": format!("{}{path}", client.base_url) })
}

/// RFC 7644 4: "If a "filter" is provided, the service provider SHOULD respond
/// with HTTP status code 403 (Forbidden)".
fn refuse_filter(query: Option<&str>) -> Result<(), Error> {
    match Parameters::from_query(query)?.filter {
        Some(_) => Err(Error::FilterForbidden),
        None => Ok(()),
    }
}

fn list(resources: &[Value]) -> Answer {
    answer(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    }))
}

fn answer(body: Value) -> Answer {
    match body {
        Value::Object(body) => Answer::of(body),
        _ => Answer::nothing(),
    }
}
