//! What the handles of an event thread share with it: its signals and its end.
//!
//! A join of a thread also waits for its thread-local values, whose `Drop` is the program's code.
//! So `finished` and a wait with a timeout have the join made on a thread for blocking calls, and
//! learn of its outcome.

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Condvar;
use slotwork_signals::Signal;

use crate::event_loop::LoopHandle;
use crate::runtime::panics;
use crate::runtime::sync::{Mutex, MutexGuard};
use crate::runtime::timers::after;

/// The state of a thread, shared by the thread and its handles.
pub(super) struct Control {
    pub(super) name: String,
    /// Set when the setup has returned.
    pub(super) event_loop: OnceLock<LoopHandle>,
    pub(super) started: Signal<()>,
    pub(super) finished: Signal<()>,
    end: Mutex<End>,
    /// Notified when the join handle is stored, and when the outcome is known.
    changed: Condvar,
}

/// The progress of a thread's end.
#[derive(Default)]
struct End {
    /// Taken by the one that joins.
    thread: Option<JoinHandle<i32>>,
    outcome: Option<Outcome>,
    has_ended: bool,
    /// Whether a wait with a timeout needs the outcome.
    is_awaited: bool,
    /// Whether the join is made, or was made, elsewhere.
    is_handed_over: bool,
}

/// The code of a thread's loop, or the message of the panic that ended the thread.
pub(super) type Outcome = Result<i32, String>;

impl Control {
    pub(super) fn new(mut name: String) -> Self {
        // The system's thread names end at a NUL.
        name.retain(|character| character != '\0');
        Self {
            name,
            event_loop: OnceLock::new(),
            started: Signal::new(),
            finished: Signal::new(),
            end: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Stores the join handle of the thread, which may have ended already.
    pub(super) fn set_thread(&self, thread: JoinHandle<i32>) {
        self.end.lock().thread = Some(thread);
        self.changed.notify_all();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.lock().has_ended
    }

    /// Waits until the thread has ended, and everything in it is dropped.
    pub(super) fn join(&self) -> Outcome {
        let mut end = self.end.lock();
        loop {
            if let Some(outcome) = &end.outcome {
                return outcome.clone();
            }
            if let Some(thread) = end.thread.take() {
                drop(end);
                let outcome = outcome_of(thread);
                self.end.lock().outcome = Some(outcome.clone());
                self.changed.notify_all();
                return outcome;
            }
            self.changed.wait(&mut end);
        }
    }

    /// Waits as `join` does, for `time` at most; `None` when the time is over.
    pub(super) fn join_within(self: &Arc<Self>, time: Duration) -> Option<Outcome> {
        let deadline = after(Instant::now(), time);
        let mut end = self.end.lock();
        end.is_awaited = true;
        if end.has_ended {
            self.hand_over(end);
            end = self.end.lock();
        }
        loop {
            if end.outcome.is_some() {
                return end.outcome.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.changed.wait_for(&mut end, left);
        }
    }

    /// Has the thread joined elsewhere, once, and `finished` emitted afterwards.
    fn hand_over(self: &Arc<Self>, mut end: MutexGuard<'_, End>) {
        if end.is_handed_over {
            return;
        }
        end.is_handed_over = true;
        drop(end);
        let control = Arc::clone(self);
        let join = move || {
            let _ = control.join();
            control.emit_finished();
        };
        smol::unblock(join).detach();
    }

    /// Emits the last signal of the thread, unless it never started.
    fn emit_finished(self: &Arc<Self>) {
        if self.event_loop.get().is_some() {
            panics::catch_and_log("a slot of `finished`", || self.finished.emit(&()));
        }
        // A slot may have captured what keeps this alive.
        panics::catch_and_log("the end of a slot", || self.finished.finish(self));
    }
}

fn outcome_of(thread: JoinHandle<i32>) -> Outcome {
    thread.join().map_err(|payload| {
        let message = panics::message_of(&*payload);
        panics::discard(payload);
        message
    })
}

/// The end of a thread: held by the thread, and dropped after all else in it.
pub(super) struct Ending(pub(super) Arc<Control>);

impl Drop for Ending {
    fn drop(&mut self) {
        let Self(control) = self;
        control.end.lock().has_ended = true;
        let mut is_watched = false;
        panics::catch_and_log("the end of a slot", || {
            // A slot may have captured what keeps this alive.
            control.started.finish(control);
        });
        panics::catch_and_log("the end of a slot", || {
            is_watched = control.finished.slot_count() > 0;
        });
        let end = control.end.lock();
        if is_watched || end.is_awaited {
            control.hand_over(end);
        }
    }
}
