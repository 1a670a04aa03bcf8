//! The threads that serve, each some of the connections.
//!
//! Each has a runtime of its own. What a request waits for, and what goes on for it, is
//! in the thread that reads its connection, so that threads neither wake one another nor
//! take tasks from one another: on two cores that was a fifth of the time of a read
//! (docs/performance.md). In return a connection has no more than one core, and what
//! computes for long keeps the others of its thread waiting, and new ones when it is
//! that thread's turn to take them.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use futures::future::try_join_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{Mutex, oneshot};
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::Service;
use tower::make::Shared;

/// See [`ticks`].
const TICK: Duration = Duration::from_millis(500);

/// Threads that serve. Dropped, they end, whatever they do.
pub struct Threads {
    served: Vec<oneshot::Receiver<io::Result<()>>>,
    _end: DropGuard,
}

impl Threads {
    /// Has `number` of them take connections in turn, until `closed` is cancelled, and
    /// serve each with what `service` makes for its thread, within the runtime of that.
    ///
    /// # Errors
    ///
    /// The system gives no more threads.
    pub fn start<S>(
        number: NonZeroUsize,
        listener: TcpListener,
        closed: &CancellationToken,
        service: impl Fn() -> S + Clone + Send + 'static,
    ) -> io::Result<Self>
    where
        S: Service<Request, Response = Response, Error = Infallible, Future: Send>,
        S: Clone + Send + 'static,
    {
        let address = listener.local_addr()?;
        let listener = Arc::new(Mutex::new(listener));
        let end = CancellationToken::new();
        let guard = end.clone().drop_guard();
        let start = |place| {
            let listener = InTurn { listener: Arc::clone(&listener), address };
            let (closed, end) = (closed.clone().cancelled_owned(), end.clone());
            let service = service.clone();
            let (done, served) = oneshot::channel();
            thread::Builder::new().name(format!("serve-{place}")).spawn(move || {
                let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(done.send(Err(error))),
                };
                runtime.spawn(ticks());
                runtime.block_on(end.run_until_cancelled(async {
                    let serve = axum::serve(listener, Shared::new(service()));
                    let served = serve.with_graceful_shutdown(closed).await;
                    let _ = done.send(served);
                    // Others may wait for what a task does here.
                    pending::<()>().await;
                }));
                // What blocks, such as a look-up of a name, cannot be ended.
                runtime.shutdown_background();
            })?;
            Ok(served)
        };
        let served = (0..number.get()).map(start).collect::<io::Result<_>>()?;
        Ok(Self { served, _end: guard })
    }

    /// Done when no connections are taken any more, and all requests are answered.
    ///
    /// # Errors
    ///
    /// One of them could not begin, or came to its end before.
    pub async fn served(&mut self) -> io::Result<()> {
        let ended = |_panic| io::Error::other("a thread that serves has ended");
        let served = self.served.iter_mut().map(async |served| served.await.map_err(ended)?);
        try_join_all(served).await.map(drop)
    }
}

/// A timer that is due before those of requests, which are for seconds: a runtime that has
/// none before it takes a system call to set a timer.
async fn ticks() {
    loop {
        sleep(TICK).await;
    }
}

/// A listener for one of several, who take connections in turn.
struct InTurn {
    listener: Arc<Mutex<TcpListener>>,
    address: SocketAddr,
}

impl Listener for InTurn {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // Those who wait for this lock get it in the order in which they came.
        let (connection, peer) = Listener::accept(&mut *self.listener.lock().await).await;
        // Answers are small: waiting to fill a packet would only delay them.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        (connection, peer)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
