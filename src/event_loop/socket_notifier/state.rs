//! The state of a notifier, which its handles share.

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

/// The state of a notifier: its descriptor, its interest, and its signals.
pub(super) struct State<D: AsFd> {
    pub(super) interest: Rc<Interest>,
    pub(super) readable: Signal<()>,
    pub(super) writable: Signal<()>,
    watch: Rc<Watch>,
    task: Cell<Option<Task<()>>>,
    /// The last field: it is watched no more when it is closed.
    pub(super) descriptor: D,
}

impl<D: AsFd + 'static> State<D> {
    /// Makes the state of a notifier that is enabled for reading.
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
        let task = EventLoop::current().spawn(run_notifier(Rc::downgrade(&state), interest));
        state.task.set(Some(task));
        Ok(state)
    }

    /// Emits the signals that are enabled.
    fn notify(&self, is_readable: bool, is_writable: bool) {
        // Watched again first: input that the slots leave is an event again.
        self.watch.update();
        if is_readable && self.interest.reads.get() {
            panics::catch("a slot of a socket notifier", || self.readable.emit(&()));
        }
        if is_writable && self.interest.writes.get() {
            panics::catch("a slot of a socket notifier", || self.writable.emit(&()));
        }
        // Input that arrived in a loop inside a slot may have been read by the slot.
        if self.interest.clear() {
            self.watch.update();
        }
    }
}

impl<D: AsFd> State<D> {
    /// Watches for what is enabled now.
    pub(super) fn interest_changed(&self) {
        self.interest.clear();
        self.watch.update();
    }
}

impl<D: AsFd> Drop for State<D> {
    fn drop(&mut self) {
        self.watch.remove(&self.interest);
    }
}

/// Waits for events and emits the notifier's signals, as long as it exists.
async fn run_notifier<D: AsFd + 'static>(notifier: Weak<State<D>>, interest: Rc<Interest>) {
    loop {
        let (is_readable, is_writable) = poll_fn(|cx| interest.poll(cx)).await;
        let Some(notifier) = notifier.upgrade() else { return };
        notifier.notify(is_readable, is_writable);
    }
}
