//! Streams in Connect's own protocol, with JSON.

use reqwest::Response;
use serde_json::{Value, json};

use super::Client;

/// The messages of an answer, as they come.
pub struct Messages {
    response: Response,
    buffer: Vec<u8>,
}

impl Client {
    /// Begins to call a method that answers with a stream.
    pub async fn stream(&self, path: &str, body: Value) -> Messages {
        let body = body.to_string().into_bytes();
        let mut framed = vec![0];
        framed.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        framed.extend(body);
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/connect+json")
            .body(framed);
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        Messages { response, buffer: Vec::new() }
    }
}

impl Messages {
    /// The next message; the error with which the stream ends, or `None` where
    /// it ends well.
    pub async fn next(&mut self) -> Result<Option<Value>, Value> {
        loop {
            if let Some((head, rest)) = self.buffer.split_at_checked(5) {
                let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
                if rest.len() >= length {
                    let value: Value = serde_json::from_slice(&rest[..length]).unwrap();
                    let is_end = head[0] & 2 == 2;
                    self.buffer.drain(..5 + length);
                    return match (is_end, value["error"].is_null()) {
                        (false, _) => Ok(Some(value)),
                        (true, true) => Ok(None),
                        (true, false) => Err(value["error"].clone()),
                    };
                }
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.buffer.extend(chunk),
                // Cut off: no protocol's end.
                Ok(None) | Err(_) => return Err(json!({ "code": "cut off" })),
            }
        }
    }
}
