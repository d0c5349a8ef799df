//! Deferred calls: those of a loop's own thread, which need not be `Send`.
//!
//! Each waits in the loop's state, and a posted call makes the first of them. So they keep their
//! places among the calls that other threads post.

use slotwork_signals::host::{Origin, watched_call};
use slotwork_signals::{Receiver, WeakReceiver};

use crate::event_loop::EventLoop;
use crate::event_loop::thread_loop;

impl EventLoop {
    /// Makes a call from the loop, in its next turn, unless `receiver` is gone by then.
    ///
    /// The receiver is held weakly and lent to the call; `()` is a receiver that never goes away.
    /// The call keeps its place among those of [`LoopHandle::post`](crate::LoopHandle::post).
    ///
    /// # Qt
    ///
    /// `QMetaObject::invokeMethod(receiver, call, Qt::QueuedConnection)` in the receiver's thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// use slotwork::EventLoop;
    ///
    /// let (event_loop, receiver, gone) = (EventLoop::current(), Rc::new(Cell::new(0)), Rc::new(7));
    /// event_loop.defer_to(&receiver, |receiver| receiver.set(1));
    /// event_loop.defer_to((&receiver, &gone), |(receiver, gone)| receiver.set(**gone));
    /// drop(gone);
    ///
    /// event_loop.process_events();
    /// assert_eq!(receiver.get(), 1);
    /// ```
    #[doc(alias = "invokeMethod")]
    #[doc(alias = "QMetaObject::invokeMethod")]
    #[track_caller]
    pub fn defer_to<R: Receiver>(&self, receiver: R, call: impl FnOnce(&R::Strong) + 'static) {
        let (receiver, origin) = (receiver.downgrade(), Origin::here());
        let call = move || {
            if let Some(receiver) = receiver.upgrade() {
                watched_call("call deferred", origin, || call(&receiver));
            }
        };
        self.state.deferred.borrow_mut().push_back(Box::new(call));
        self.state.shared.post(|| {
            let first = thread_loop::state().deferred.borrow_mut().pop_front();
            if let Some(call) = first {
                call();
            }
        });
    }
}
