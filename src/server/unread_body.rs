//! Early answers on HTTP/1.
//!
//! An answer that is given before the request's body was read, such as 401,
//! leaves the rest of that body in the connection. hyper then closes it, and a
//! client that was still sending, or that sends its next request there, meets a
//! broken pipe instead of the answer. So the rest is read first, within limits.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::Version;
use axum::http::header::{CONNECTION, EXPECT, HeaderValue};
use axum::response::Response;
use http_body_util::BodyExt;

/// More than the largest body that any door reads.
const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_DURATION: Duration = Duration::from_secs(5);

/// The request, and what will be left of its body where that matters.
pub fn watched(request: Request) -> (Request, Option<Unread>) {
    // HTTP/2 ends a stream without ending its connection.
    if request.version() >= Version::HTTP_2 || request.body().is_end_stream() {
        return (request, None);
    }
    let rest = Arc::new(Mutex::new(None));
    let waits = request.headers().contains_key(EXPECT);
    let unread = Unread { rest: Arc::clone(&rest), waits };
    let request = request.map(|body| Body::new(Returning { body: Some(body), begun: false, rest }));
    (request, Some(unread))
}

/// What a handler leaves of a request's body.
pub struct Unread {
    rest: Arc<Mutex<Option<(Body, bool)>>>,
    /// Whether the client waits for `100 Continue` before it sends.
    waits: bool,
}

impl Unread {
    /// Reads it before the answer goes out; where it is too much, says that the
    /// connection will be closed.
    pub async fn drained(self, mut response: Response) -> Response {
        let rest = self.rest.lock().map(|mut rest| rest.take()).unwrap_or_default();
        let Some((body, begun)) = rest else { return response };
        // Nothing was sent yet, and reading on would ask for it.
        let unsent = self.waits && !begun;
        if unsent || !tokio::time::timeout(MAX_DURATION, read_to_end(body)).await.unwrap_or(false) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Whether the body ended within the limit.
async fn read_to_end(mut body: Body) -> bool {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MAX_BYTES {
            return false;
        }
    }
    true
}

/// A body that is handed back when it is dropped before its end.
struct Returning {
    body: Option<Body>,
    begun: bool,
    rest: Arc<Mutex<Option<(Body, bool)>>>,
}

impl HttpBody for Returning {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        self.begun = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Ok(mut rest) = self.rest.lock() {
            let body = self.body.take().filter(|body| !body.is_end_stream());
            *rest = body.map(|body| (body, self.begun));
        }
    }
}
