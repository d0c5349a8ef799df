//! The registration of a descriptor, which its notifiers share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::os::fd::RawFd;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use log::error;
use mio::unix::SourceFd;
use smol::Task;

use crate::event_loop::EventLoop;
use crate::runtime::reactor::{Reactor, Source};

/// The registration of a descriptor with the system, which watches it once.
pub(super) struct Watch {
    descriptor: RawFd,
    reactor: Rc<Reactor>,
    source: Source,
    is_registered: Cell<bool>,
    interests: RefCell<Vec<Rc<Interest>>>,
    task: Cell<Option<Task<()>>>,
}

/// What one notifier is enabled for, and the readiness that it has not emitted yet.
#[derive(Default)]
pub(super) struct Interest {
    pub(super) reads: Cell<bool>,
    pub(super) writes: Cell<bool>,
    is_readable: Cell<bool>,
    is_writable: Cell<bool>,
    /// The waker of the notifier's own task: a loop in its slot blocks no others.
    waker: Cell<Option<Waker>>,
}

impl Watch {
    /// Returns the watch of a descriptor, made by its first notifier.
    pub(super) fn of(descriptor: RawFd) -> io::Result<Rc<Self>> {
        let known = WATCHES.try_with(|watches| watches.borrow().get(&descriptor)?.upgrade());
        if let Ok(Some(watch)) = known {
            return Ok(watch);
        }
        let reactor = Reactor::current()?;
        let watch = Rc::new(Self {
            descriptor,
            source: reactor.reserve()?,
            reactor,
            is_registered: Cell::new(false),
            interests: RefCell::default(),
            task: Cell::default(),
        });
        let task = EventLoop::current().spawn(run_watch(Rc::downgrade(&watch)));
        watch.task.set(Some(task));
        // At the thread's very end no other notifier will share it.
        let _ = WATCHES.try_with(|watches| {
            watches.borrow_mut().insert(descriptor, Rc::downgrade(&watch));
        });
        Ok(watch)
    }

    /// Adds a notifier, unless the system refuses to watch for its interest.
    pub(super) fn add(&self, interest: &Rc<Interest>) -> io::Result<()> {
        self.interests.borrow_mut().push(Rc::clone(interest));
        let outcome = self.watch();
        if outcome.is_err() {
            self.remove(interest);
        }
        outcome
    }

    /// Removes a notifier; the others stay.
    pub(super) fn remove(&self, interest: &Rc<Interest>) {
        self.interests.borrow_mut().retain(|other| !Rc::ptr_eq(other, interest));
        self.update();
    }

    /// Watches for what is enabled now; the next poll reports it even if it is not new.
    pub(super) fn update(&self) {
        if let Err(error) = self.watch() {
            error!("cannot watch a descriptor any more: {error}");
        }
    }

    fn watch(&self) -> io::Result<()> {
        self.source.clear_readable();
        self.source.clear_writable();
        let (registry, token) = (self.reactor.registry(), self.source.token());
        let mut descriptor = SourceFd(&self.descriptor);
        let Some(wanted) = self.wanted() else {
            let was_registered = self.is_registered.replace(false);
            return if was_registered { registry.deregister(&mut descriptor) } else { Ok(()) };
        };
        if self.is_registered.get() {
            match registry.reregister(&mut descriptor, token, wanted) {
                // It was closed too early, and its number is that of another one now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => return outcome,
            }
        }
        let outcome = registry.register(&mut descriptor, token, wanted);
        self.is_registered.set(outcome.is_ok());
        outcome
    }

    /// Returns what any notifier is enabled for.
    fn wanted(&self) -> Option<mio::Interest> {
        let interests = self.interests.borrow();
        let reads = interests.iter().any(|interest| interest.reads.get());
        let writes = interests.iter().any(|interest| interest.writes.get());
        match (reads, writes) {
            (true, true) => Some(mio::Interest::READABLE | mio::Interest::WRITABLE),
            (true, false) => Some(mio::Interest::READABLE),
            (false, true) => Some(mio::Interest::WRITABLE),
            (false, false) => None,
        }
    }

    /// Waits for readiness, and returns whether it is for reading, and for writing.
    fn poll_ready(&self, cx: &Context<'_>) -> Poll<(bool, bool)> {
        self.source.set_waker(cx.waker());
        match (self.source.is_readable(), self.source.is_writable()) {
            (false, false) => Poll::Pending,
            ready => {
                self.source.clear_readable();
                self.source.clear_writable();
                Poll::Ready(ready)
            }
        }
    }

    fn forward(&self, is_readable: bool, is_writable: bool) {
        for interest in self.interests.borrow().iter() {
            interest.add(is_readable, is_writable);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.update();
        let _ = WATCHES.try_with(|watches| {
            let mut watches = watches.borrow_mut();
            if watches.get(&self.descriptor).is_some_and(|watch| watch.strong_count() == 0) {
                watches.remove(&self.descriptor);
            }
        });
    }
}

impl Interest {
    /// Waits for readiness, and returns whether it is for reading, and for writing.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<(bool, bool)> {
        match (self.is_readable.take(), self.is_writable.take()) {
            (false, false) => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
            ready => Poll::Ready(ready),
        }
    }

    /// Clears the readiness; returns whether there was any.
    pub(super) fn clear(&self) -> bool {
        let was_readable = self.is_readable.take();
        self.is_writable.take() || was_readable
    }

    fn add(&self, is_readable: bool, is_writable: bool) {
        let (reads, writes) = (is_readable && self.reads.get(), is_writable && self.writes.get());
        if reads || writes {
            self.is_readable.set(reads || self.is_readable.get());
            self.is_writable.set(writes || self.is_writable.get());
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

/// Waits for events and forwards them to the notifiers, as long as there are any.
async fn run_watch(watch: Weak<Watch>) {
    let next = || {
        poll_fn(|cx| match watch.upgrade() {
            Some(watch) => watch.poll_ready(cx).map(|ready| Some((watch, ready))),
            None => Poll::Ready(None),
        })
    };
    while let Some((watch, (is_readable, is_writable))) = next().await {
        watch.forward(is_readable, is_writable);
    }
}

thread_local! {
    static WATCHES: RefCell<BTreeMap<RawFd, Weak<Watch>>> = const { RefCell::new(BTreeMap::new()) };
}
