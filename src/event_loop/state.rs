//! The state of a thread's event loop, which its handles share.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use slotwork_signals::Signal;
use slotwork_signals::host;

use crate::event_loop::exits::Exits;
use crate::event_loop::panic_policy::PanicReports;
use crate::event_loop::receiver_tasks::ReceiverTasks;
use crate::event_loop::shared::Shared;
use crate::event_loop::turn_clock::TurnClock;
use crate::runtime::panics;
use crate::runtime::reactor::Reactor;
use crate::runtime::timers::Timers;

/// The state of a loop without its tasks, which may hold an `EventLoop`.
pub(super) struct State {
    pub(super) reactor: Rc<Reactor>,
    pub(super) timers: Rc<Timers>,
    pub(super) shared: Arc<Shared>,
    /// Woken when a task becomes ready.
    pub(super) task_waker: Waker,
    pub(super) exits: Exits,
    pub(super) panics: PanicReports,
    pub(super) about_to_quit: Signal<()>,
    /// The calls of `EventLoop::defer_to`.
    pub(super) deferred: RefCell<VecDeque<Box<dyn FnOnce()>>>,
    /// The tasks of `EventLoop::spawn_to`.
    pub(super) receiver_tasks: ReceiverTasks,
    pub(super) is_running: Cell<bool>,
    /// Whether signals of the operating system end the loop.
    pub(super) quits_on_signals: Cell<bool>,
    pub(super) turn_clock: TurnClock,
}

impl State {
    pub(super) fn new() -> io::Result<Self> {
        let reactor = Reactor::current()?;
        let shared = Arc::new(Shared::new(reactor.waker()));
        Ok(Self {
            reactor,
            timers: Timers::current(),
            task_waker: shared.task_waker(),
            shared,
            exits: Exits::default(),
            panics: PanicReports::new(),
            about_to_quit: Signal::new(),
            deferred: RefCell::default(),
            receiver_tasks: ReceiverTasks::default(),
            is_running: Cell::new(false),
            quits_on_signals: Cell::new(false),
            turn_clock: TurnClock::default(),
        })
    }

    /// Ends the loop but for its tasks, which `drop_tasks` drops in between.
    ///
    /// In this order: nothing is posted any more and what was posted is dropped; the tasks are
    /// dropped, and with them the sockets they own, which emit their end; then the timers.
    pub(super) fn end(&self, drop_tasks: impl FnOnce()) {
        self.shared.close();
        host::drop_queue();
        for call in self.deferred.take() {
            panics::catch_and_log("the end of a deferred call", || drop(call));
        }
        self.receiver_tasks.clear();
        drop_tasks();
        self.timers.close();
        panics::catch_and_log("the end of a slot", || {
            self.about_to_quit.disconnect_all();
            self.panics.panicked.disconnect_all();
        });
    }
}
