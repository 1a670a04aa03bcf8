//! Who was let in before.

use std::future::Future;
use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select};
use quick_cache::sync::Cache;

use super::{Access, Error};

/// How many are remembered; of more, those who come most.
const CAPACITY: usize = 10_000;

/// Remembers whom a check let in, so that what they ask for next is looked for while
/// they are checked again, which is one wait for the database less.
///
/// Nobody is let in for being remembered: each request has a check of its own, which begins
/// after it has come. Clones remember together.
pub struct Known<K, C>(Arc<Cache<K, C>>);

impl<K, C> Clone for Known<K, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash, C: Copy + PartialEq> Known<K, C> {
    pub fn new() -> Self {
        Self(Arc::new(Cache::new(CAPACITY)))
    }

    /// Does `work` for whom `check` lets in.
    ///
    /// Work that only reads, for somebody whom the same key let in before, begins together
    /// with the check. What it finds is told to nobody, and it is dropped wherever it stands,
    /// unless the check lets the same one in again.
    pub async fn admit<F: Future>(
        &self,
        key: K,
        access: Access,
        check: impl Future<Output = Result<C, Error>>,
        work: impl FnOnce(C) -> F,
    ) -> Result<F::Output, Error> {
        let mut check = pin!(check);
        let forget = |_refusal: &Error| {
            self.0.remove(&key);
        };
        let known = if access == Access::Read { self.0.get(&key) } else { None };
        let who = match known {
            Some(who) => who,
            None => check.as_mut().await.inspect_err(forget)?,
        };
        let work = pin!(work(who));
        if known.is_none() {
            self.0.insert(key, who);
            return Ok(work.await);
        }
        let still = |checked: Result<C, Error>| {
            // Who is somebody else by now was worked for with the rights of the former.
            let is_same = |now| if now == who { Ok(()) } else { Err(Error::Unknown) };
            checked.and_then(is_same).inspect_err(forget)
        };
        match select(check, work).await {
            Either::Left((checked, work)) => {
                still(checked)?;
                Ok(work.await)
            }
            Either::Right((outcome, check)) => {
                still(check.await)?;
                Ok(outcome)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    fn known() -> Known<&'static str, u32> {
        Known::new()
    }

    async fn let_in(known: &Known<&'static str, u32>) {
        let outcome = known.admit("key", Access::Read, ready(Ok(1)), |who| ready(who + 1)).await;
        assert_eq!(outcome.unwrap(), 2);
    }

    /// Whether work begins before the check is done.
    fn is_worked_for(known: &Known<&'static str, u32>) -> bool {
        let mut has_begun = false;
        let work = |_| {
            has_begun = true;
            ready(())
        };
        assert!(known.admit("key", Access::Read, pending(), work).now_or_never().is_none());
        has_begun
    }

    #[tokio::test]
    async fn nobody_is_worked_for_who_was_not_let_in_before() {
        let known = known();
        let begun = AtomicUsize::new(0);
        let work = |_| async {
            begun.fetch_add(1, Ordering::Relaxed);
        };
        let asked = known.admit("key", Access::Read, pending(), work);
        assert!(asked.now_or_never().is_none());
        let_in(&known).await;
        // By another key, or to change something.
        assert!(known.admit("other", Access::Read, pending(), work).now_or_never().is_none());
        assert!(known.admit("key", Access::Write, pending(), work).now_or_never().is_none());
        assert_eq!(begun.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_was_let_in_before_is_worked_for_meanwhile_and_answered_when_let_in_again() {
        let known = known();
        let_in(&known).await;
        let begun = AtomicUsize::new(0);
        let work = |who| {
            begun.fetch_add(1, Ordering::Relaxed);
            ready(who + 1)
        };
        let (let_in, check) = oneshot::channel();
        let check = async { check.await.unwrap() };
        let mut asked = pin!(known.admit("key", Access::Read, check, work));
        assert!(asked.as_mut().now_or_never().is_none());
        assert_eq!(begun.load(Ordering::Relaxed), 1);
        let_in.send(Ok(1)).unwrap();
        assert_eq!(asked.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn who_is_refused_a_change_is_forgotten_too() {
        let known = known();
        let_in(&known).await;
        assert!(is_worked_for(&known));
        let refused = ready(Err(Error::Revoked));
        known.admit("key", Access::Write, refused, ready).await.unwrap_err();
        assert!(!is_worked_for(&known));
    }

    #[tokio::test]
    async fn who_is_not_let_in_again_gets_nothing_and_is_forgotten() {
        let others: [fn() -> Result<u32, Error>; 3] =
            [|| Err(Error::Revoked), || Err(Error::Disabled), || Ok(7)];
        for other in others {
            // Whether the work is done before the check, or is never done.
            for is_done in [true, false] {
                let known = known();
                let_in(&known).await;
                let (refuse, check) = oneshot::channel();
                let check = async { check.await.unwrap() };
                let work = |_| async move {
                    if !is_done {
                        pending::<()>().await;
                    }
                };
                let mut asked = pin!(known.admit("key", Access::Read, check, work));
                assert!(asked.as_mut().now_or_never().is_none());
                refuse.send(other()).unwrap();
                asked.await.unwrap_err();
                assert!(!is_worked_for(&known));
            }
        }
    }
}
