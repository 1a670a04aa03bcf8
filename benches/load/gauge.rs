//! A closed loop of several lanes: everyone begins, those that finish in time
//! are counted, everyone ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How long to measure.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Span {
    /// Before anything is counted.
    pub warm_up: f64,
    pub seconds: f64,
    /// How many operations there may be at most.
    pub at_most: Option<u64>,
}

/// Slow operations are given time for at least so many.
const AT_LEAST: u64 = 20;
/// But not for longer than this.
const AT_LONGEST: Duration = Duration::from_secs(10);

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// What lanes look at between operations.
#[derive(Debug)]
pub struct Gauge {
    stage: AtomicU8,
    left: AtomicU64,
    counted: AtomicU64,
}

impl Gauge {
    pub fn new(span: &Span) -> Arc<Self> {
        let left = AtomicU64::new(span.at_most.unwrap_or(u64::MAX));
        Arc::new(Self { stage: AtomicU8::new(WARMING), left, counted: AtomicU64::new(0) })
    }

    fn measure(&self) {
        // One that has run out of work meanwhile stays so.
        let _ =
            self.stage.compare_exchange(WARMING, MEASURING, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.stage.store(OVER, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == OVER
    }

    /// Whether what has just been done counts.
    pub fn counts(&self) -> bool {
        let counts = self.stage.load(Ordering::Relaxed) == MEASURING;
        self.counted.fetch_add(u64::from(counts), Ordering::Relaxed);
        counts
    }

    /// Whether to do one more.
    pub fn go_on(&self) -> bool {
        if self.is_over() {
            return false;
        }
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if taken.is_err() {
            self.end();
        }
        taken.is_ok()
    }

    /// Waits for a time. Until the work has run out, looking every few
    /// milliseconds.
    pub async fn warm_up(&self, span: &Span) {
        let time = Duration::from_secs_f64(span.warm_up);
        self.wait_while(|elapsed| elapsed < time).await;
    }

    /// The same while operations are counted, until there are enough. Answers
    /// how long it was.
    pub async fn measured(&self, span: &Span) -> Duration {
        let time = Duration::from_secs_f64(span.seconds);
        self.measure();
        self.wait_while(|elapsed| {
            let enough = self.counted.load(Ordering::Relaxed) >= AT_LEAST;
            elapsed < time || (!enough && elapsed < AT_LONGEST)
        })
        .await
    }

    async fn wait_while(&self, goes_on: impl Fn(Duration) -> bool) -> Duration {
        let begun = Instant::now();
        while goes_on(begun.elapsed()) && !self.is_over() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    }
}
