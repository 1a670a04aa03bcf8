//! A receiver of webhooks that does as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::PATIENCE;

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub enum Manner {
    Takes,
    Answers(u16),
    Redirects(String),
    Hangs,
    TakesAfter(Duration),
    /// Takes the events up to a number, and hangs at those behind it.
    TakesUpTo(u64),
    /// Fails each request but every third.
    IsFlaky,
    /// Answers 200 and never comes to an end with it.
    TakesWithoutEnd,
}

/// One request.
#[derive(Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: Instant,
    /// Whether it was answered with 2xx.
    pub taken: bool,
}

impl Received {
    pub fn number(&self) -> u64 {
        let event: Value = serde_json::from_slice(&self.body).unwrap();
        event["number"].as_str().unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A receiver on a socket of this machine.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    state: Arc<Shared>,
}

struct Shared {
    manner: Mutex<Manner>,
    received: Mutex<Vec<Received>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Receiver {
    pub async fn new(manner: Manner) -> Self {
        let state = Arc::new(Shared {
            manner: Mutex::new(manner),
            received: Mutex::default(),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new().fallback(receive).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, state }
    }

    /// From now on it does so.
    pub fn set(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// The numbers of the events that it took, in the order in which they came.
    pub fn taken(&self) -> Vec<u64> {
        self.received().iter().filter(|each| each.taken).map(Received::number).collect()
    }

    /// The most requests that it had before it at one time.
    pub fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }

    /// Waits until it has been sent so many requests.
    pub async fn asked(&self, count: usize) {
        self.until(|| self.received().len() >= count).await;
    }

    /// Waits until it took every event up to `number`, and says that each came
    /// behind the one before, be it again.
    pub async fn took_all(&self, number: u64) {
        self.until(|| self.taken().contains(&number)).await;
        let mut next = 1;
        for taken in self.taken() {
            assert!(taken <= next, "{taken} came before {next}: {:?}", self.taken());
            next = next.max(taken + 1);
        }
        assert!(next > number);
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            let taken = self.taken();
            assert!(begun.elapsed() < PATIENCE, "{} took {taken:?}", self.url);
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn receive(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    /// Counts a request for as long as it is open, also one that is given up.
    struct Open(Arc<Shared>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.open.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
    state.most_open.fetch_max(open, Ordering::SeqCst);
    let _open = Open(Arc::clone(&state));
    let manner = state.manner.lock().unwrap().clone();
    let count = state.received.lock().unwrap().len();
    let mut received = Received { headers, body, at: Instant::now(), taken: false };
    let number = received.number();
    let mut keep = |taken| {
        received.taken = taken;
        state.received.lock().unwrap().push(received.clone());
    };
    match manner {
        Manner::TakesUpTo(last) if number > last => {
            keep(false);
            std::future::pending().await
        }
        Manner::Takes | Manner::TakesUpTo(_) => {
            keep(true);
            StatusCode::NO_CONTENT.into_response()
        }
        Manner::TakesWithoutEnd => {
            keep(true);
            let endless = futures::stream::unfold((), async |()| {
                sleep(Duration::from_millis(10)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
            });
            Response::new(axum::body::Body::from_stream(Box::pin(endless)))
        }
        Manner::IsFlaky if count % 3 == 2 => {
            keep(true);
            StatusCode::OK.into_response()
        }
        Manner::IsFlaky => {
            keep(false);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Manner::Answers(status) => {
            keep(false);
            StatusCode::from_u16(status).unwrap().into_response()
        }
        Manner::Redirects(to) => {
            keep(false);
            (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response()
        }
        Manner::TakesAfter(pause) => {
            sleep(pause).await;
            received.at = Instant::now();
            received.taken = true;
            state.received.lock().unwrap().push(received);
            StatusCode::OK.into_response()
        }
        Manner::Hangs => {
            keep(false);
            std::future::pending().await
        }
    }
}
