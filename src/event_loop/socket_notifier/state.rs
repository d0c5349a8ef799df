//! What the handles of a notifier share: the descriptor, what is watched for, and the signals.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::{Rc, Weak};

use slotwork_signals::Signal;
use smol::Task;

use crate::event_loop::EventLoop;
use crate::event_loop::socket_notifier::watch::{Interest, Watch};
use crate::runtime::panics;

/// What all handles of a notifier share.
pub(super) struct State<D: AsFd> {
    pub(super) interest: Rc<Interest>,
    pub(super) readable: Signal<()>,
    pub(super) writable: Signal<()>,
    watch: Rc<Watch>,
    task: Cell<Option<Task<()>>>,
    /// The last: it is watched no more when it is closed.
    pub(super) descriptor: D,
}

impl<D: AsFd + 'static> State<D> {
    /// Watches for what can be read.
    pub(super) fn new(descriptor: D) -> io::Result<Rc<Self>> {
        let watch = Watch::of(descriptor.as_fd().as_raw_fd())?;
        let interest = Rc::new(Interest::default());
        interest.reads.set(true);
        watch.add(&interest)?;
        let state = Rc::new(Self {
            interest: Rc::clone(&interest),
            readable: Signal::new(),
            writable: Signal::new(),
            watch,
            task: Cell::default(),
            descriptor,
        });
        let task = EventLoop::current().spawn(notify_for_ever(Rc::downgrade(&state), interest));
        state.task.set(Some(task));
        Ok(state)
    }

    /// Emits what has happened, as far as it is wanted.
    fn notify(&self, is_readable: bool, is_writable: bool) {
        // Watched anew first: what the slots leave to be read is an event again.
        self.watch.watch_anew();
        if is_readable && self.interest.reads.get() {
            panics::catch("a slot of a socket notifier", || self.readable.emit(&()));
        }
        if is_writable && self.interest.writes.get() {
            panics::catch("a slot of a socket notifier", || self.writable.emit(&()));
        }
        // What came in a loop inside a slot, the slot may have dealt with.
        if self.interest.forget() {
            self.watch.watch_anew();
        }
    }
}

impl<D: AsFd> State<D> {
    /// Watches for what is wanted by now.
    pub(super) fn interest_changed(&self) {
        self.interest.forget();
        self.watch.watch_anew();
    }
}

impl<D: AsFd> Drop for State<D> {
    fn drop(&mut self) {
        self.watch.remove(&self.interest);
    }
}

/// Waits for events and tells the notifier, as long as there is one.
async fn notify_for_ever<D: AsFd + 'static>(notifier: Weak<State<D>>, interest: Rc<Interest>) {
    loop {
        let (is_readable, is_writable) = poll_fn(|cx| interest.poll(cx)).await;
        let Some(notifier) = notifier.upgrade() else { return };
        notifier.notify(is_readable, is_writable);
    }
}
