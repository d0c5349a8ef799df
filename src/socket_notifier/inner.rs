//! What the handles of a notifier share: the descriptor, what is watched for, and the signals.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;

use log::error;
use mio::Interest;
use mio::unix::SourceFd;
use slotwork_signals::Signal;
use smol::Task;

use crate::event_loop::EventLoop;
use crate::panics;
use crate::reactor::{Reactor, Registration, Source};

/// What all handles of a notifier share.
pub(super) struct Inner<D: AsFd> {
    pub(super) descriptor: D,
    pub(super) reads: Cell<bool>,
    pub(super) writes: Cell<bool>,
    pub(super) readable: Signal<()>,
    pub(super) writable: Signal<()>,
    is_watched: Cell<bool>,
    reactor: Rc<Reactor>,
    registration: Registration,
    task: RefCell<Option<Task<()>>>,
}

impl<D: AsFd + 'static> Inner<D> {
    /// Watches for what can be read.
    pub(super) fn new(descriptor: D) -> io::Result<Rc<Self>> {
        let reactor = Reactor::current()?;
        let inner = Rc::new(Self {
            descriptor,
            reads: Cell::new(true),
            writes: Cell::new(false),
            readable: Signal::new(),
            writable: Signal::new(),
            is_watched: Cell::new(false),
            registration: reactor.reserve()?,
            reactor,
            task: RefCell::default(),
        });
        inner.watch()?;
        let source = Arc::clone(inner.registration.source());
        let task = EventLoop::current().spawn(notify_for_ever(Rc::downgrade(&inner), source));
        inner.task.replace(Some(task));
        Ok(inner)
    }

    /// Emits what has happened, as far as it is wanted.
    fn notify(&self, is_readable: bool, is_writable: bool) {
        // Watched anew first: what the slots leave to be read is an event again.
        self.watch_anew();
        if is_readable && self.reads.get() {
            panics::catch("a slot of a socket notifier", || self.readable.emit(&()));
        }
        if is_writable && self.writes.get() {
            panics::catch("a slot of a socket notifier", || self.writable.emit(&()));
        }
    }
}

impl<D: AsFd> Inner<D> {
    /// Watches for what is wanted now; the next poll tells it even if it is no news.
    pub(super) fn watch_anew(&self) {
        if let Err(error) = self.watch() {
            error!("cannot watch a descriptor any more: {error}");
        }
    }

    fn watch(&self) -> io::Result<()> {
        let source = self.registration.source();
        source.clear_readable();
        source.clear_writable();
        let (registry, token) = (self.reactor.registry(), self.registration.token());
        let descriptor = self.descriptor.as_fd().as_raw_fd();
        let mut descriptor = SourceFd(&descriptor);
        let interest = match (self.reads.get(), self.writes.get()) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        match (self.is_watched.replace(interest.is_some()), interest) {
            (false, Some(interest)) => registry.register(&mut descriptor, token, interest),
            (true, Some(interest)) => registry.reregister(&mut descriptor, token, interest),
            (true, None) => registry.deregister(&mut descriptor),
            (false, None) => Ok(()),
        }
    }
}

impl<D: AsFd> Drop for Inner<D> {
    fn drop(&mut self) {
        self.reads.set(false);
        self.writes.set(false);
        self.watch_anew();
    }
}

/// Waits for events and tells the notifier, as long as there is one.
async fn notify_for_ever<D: AsFd + 'static>(notifier: Weak<Inner<D>>, source: Arc<Source>) {
    loop {
        let (is_readable, is_writable) = poll_fn(|cx| {
            source.set_waker(cx.waker());
            match (source.is_readable(), source.is_writable()) {
                (false, false) => Poll::Pending,
                ready => Poll::Ready(ready),
            }
        })
        .await;
        let Some(notifier) = notifier.upgrade() else { return };
        notifier.notify(is_readable, is_writable);
    }
}
