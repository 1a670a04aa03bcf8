//! The log: one line per event, on standard error.

use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::task_local;
use tracing::field::{DisplayValue, display};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::{Clock, SystemClock};
use crate::model::RequestId;
use crate::settings::LogFormat;

/// How long a line waits for others to be written with.
const DELAY: Duration = Duration::from_millis(20);
/// With so much waiting, whoever logs writes it.
const MAX_WAITING: usize = 256 * 1024;

/// Starts logging for the whole process, until what it answers is dropped.
///
/// `filter` knows modules and levels. One that knows spans, too, looks at each of
/// them whenever it is entered, which is several times in a request.
pub fn start(filter: Targets, format: LogFormat) -> anyhow::Result<Log> {
    let lines = Lines::default();
    let filtered = tracing_subscriber::registry().with(filter);
    let written = tracing_subscriber::fmt::layer().with_timer(Now).with_writer(lines.clone());
    match format {
        LogFormat::Text => filtered.with(written).try_init()?,
        LogFormat::Json => filtered.with(written.json().flatten_event(true)).try_init()?,
    }
    let waiting = lines.clone();
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || waiting.write_from_time_to_time())?;
    Ok(Log(lines))
}

/// When a line is logged, written as all instants are: tracing-subscriber writes the
/// same a number at a time.
struct Now;

impl FormatTime for Now {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        write!(line, "{}", SystemClock.now())
    }
}

task_local! {
    static REQUEST: RequestId;
}

/// Works for a request, whose id [`request`] gives meanwhile.
pub fn working_for<F: Future>(id: RequestId, work: F) -> impl Future<Output = F::Output> {
    REQUEST.scope(id, work)
}

/// The same of work that waits for nothing: a part of an answer that is long begun.
pub fn working_now_for<T>(id: RequestId, work: impl FnOnce() -> T) -> T {
    REQUEST.sync_scope(id, work)
}

/// For which request this task works: the `id` of every line that is logged of it.
///
/// A span would say so by itself, but is entered and left each time that a future is
/// polled, and by sqlx once more for every row, a tenth of what a small request costs.
/// So there is one at level `debug` only.
#[must_use]
pub fn request() -> Option<DisplayValue<RequestId>> {
    REQUEST.try_with(|id| display(*id)).ok()
}

/// The log of a process. Dropped, it has written everything.
pub struct Log(Lines);

impl Log {
    /// Writes a line of the command's own behind all that was logged.
    pub fn say(&self, line: &str) {
        self.0.write_out();
        eprintln!("{line}");
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.write_out();
    }
}

/// Lines on their way. Each request has one, and a system call for each would
/// cost as much as reading a user. Warnings and errors are written at once, and
/// what waits with them: a process that dies has said why.
#[derive(Clone, Default)]
struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Vec<u8>>,
    some: Condvar,
}

impl Lines {
    fn waiting(&self) -> MutexGuard<'_, Vec<u8>> {
        // Nothing that is done under the lock can leave it half done.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits. Whoever logs meanwhile does not wait for it.
    fn write_out(&self) {
        // Taken first and kept, so that lines come in order.
        let mut error = io::stderr().lock();
        let lines = mem::take(&mut *self.waiting());
        // Where standard error is closed there is nobody to tell.
        let _ = error.write_all(&lines);
    }

    fn write_from_time_to_time(&self) {
        loop {
            drop(self.0.some.wait_while(self.waiting(), |waiting| waiting.is_empty()));
            thread::sleep(DELAY);
            self.write_out();
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, urgent: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line { lines: self, urgent: *metadata.level() <= Level::WARN }
    }
}

/// One line.
struct Line<'a> {
    lines: &'a Lines,
    urgent: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lines.waiting();
        let is_first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let is_much = waiting.len() > MAX_WAITING;
        drop(waiting);
        if self.urgent || is_much {
            self.lines.write_out();
        } else if is_first {
            self.lines.0.some.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
