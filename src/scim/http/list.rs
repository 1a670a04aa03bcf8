//! Lists and searches (RFC 7644 3.4.2): filtered, sorted, in pages.
//!
//! What a filter says of indexed attributes is asked of the store; where it
//! says more, what the store finds is read through in batches and the rest
//! decided here, so that memory does not grow with the directory.

mod creation;
mod scan;
mod sorted;

use serde_json::{Value, json};

use self::scan::searches;
use super::answer::Answer;
use super::client::Client;
use super::derived::{derived, derived_attribute};
use super::error::Error;
use super::parameters::Parameters;
use super::stored::Stored;
use crate::scim::protocol::schema::ResourceType;
use crate::scim::protocol::value::Object;

/// What one answer shows.
struct Page {
    /// How many there are in all.
    total: u64,
    /// What is shown.
    found: Vec<Found>,
    /// Behind what the next page begins, if there is one, as a client hands it
    /// back.
    next: Option<String>,
}

/// A resource of some type.
type Found = (&'static ResourceType, Stored);

/// The resources of these types that the parameters ask for.
pub async fn list(
    client: &Client,
    types: &[&'static ResourceType],
    parameters: &Parameters,
) -> Result<Answer, Error> {
    let searches = searches(types, parameters)?;
    let page = match (&parameters.sort_by, &parameters.cursor) {
        (Some(sort_by), _) => sorted::page(client, &searches, sort_by, parameters).await?,
        (None, Some(cursor)) => {
            creation::by_cursor(client, &searches, cursor.as_deref(), parameters.count).await?
        }
        (None, None) => creation::by_index(client, &searches, parameters).await?,
    };
    let resources = shown(client, types, &page.found, parameters).await?;
    let mut response = Object::new();
    response.insert(
        "schemas".to_owned(),
        json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]),
    );
    response.insert("totalResults".to_owned(), json!(page.total));
    if parameters.cursor.is_none() {
        response.insert("startIndex".to_owned(), json!(parameters.start_index));
    }
    response.insert("itemsPerPage".to_owned(), json!(resources.len()));
    if let Some(next) = page.next {
        response.insert("nextCursor".to_owned(), json!(next));
    }
    Ok(Answer::text(with_resources(response, &resources)))
}

/// The response with its resources, which are JSON already.
fn with_resources(response: Object, resources: &[String]) -> String {
    let mut text = Value::Object(response).to_string();
    // The end of the object, to which there is one more to come.
    text.pop();
    text.reserve(resources.iter().map(|resource| resource.len() + 1).sum::<usize>() + 32);
    text.push_str(",\"Resources\":[");
    for (place, resource) in resources.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(resource);
    }
    text.push_str("]}");
    text
}

/// What the client sees of these resources, in their order. What follows from
/// memberships is read for all of one type together.
async fn shown(
    client: &Client,
    types: &[&'static ResourceType],
    found: &[Found],
    parameters: &Parameters,
) -> Result<Vec<String>, Error> {
    let mut shown = vec![String::new(); found.len()];
    for of in types {
        let projection = parameters.projection(of);
        let own = found.iter().enumerate().filter(|(_, (type_, _))| type_.name == of.name);
        let own: Vec<_> = own.map(|(place, (_, stored))| (place, stored)).collect();
        let ids: Vec<_> = own.iter().map(|(_, stored)| stored.id).collect();
        let derived = if projection.shows(derived_attribute(of)) {
            derived(client, of, &ids).await?
        } else {
            vec![String::new(); own.len()]
        };
        for ((place, stored), derived) in own.into_iter().zip(derived) {
            shown[place] = stored.shown(client, of, &derived, &projection)?;
        }
    }
    Ok(shown)
}
