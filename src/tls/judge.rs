//! Whom a check asks whether what it found may be ignored.
//!
//! rustls checks certificates within a call, and the checks are shared by many connections: which
//! of them a call is for, the thread knows.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use crate::tls_error::TlsError;

/// Hears what is wrong with a peer's certificate, and answers whether to go on nevertheless.
pub(crate) type Judge = Rc<dyn Fn(&[TlsError]) -> bool>;

/// Lets the checks within a future ask this judge.
pub(crate) async fn judged<F: Future>(judge: Judge, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // A judge may run the loop, and with it handshakes that have judges of their own.
        let _sitting = Sitting::begin(Rc::clone(&judge));
        future.as_mut().poll(cx)
    })
    .await
}

/// Asks the judge of this thread; where there is none, nothing may be ignored.
pub(super) fn may_be_ignored(errors: &[TlsError]) -> bool {
    let judge = JUDGE.try_with(|judge| judge.borrow().clone());
    judge.ok().flatten().is_some_and(|judge| judge(errors))
}

struct Sitting(Option<Judge>);

impl Sitting {
    fn begin(judge: Judge) -> Self {
        Self(JUDGE.try_with(|current| current.replace(Some(judge))).ok().flatten())
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        let former = self.0.take();
        let _ = JUDGE.try_with(|current| current.replace(former));
    }
}

thread_local! {
    static JUDGE: RefCell<Option<Judge>> = const { RefCell::new(None) };
}
