//! Models of how an event loop falls asleep and is woken, and of how topics hand messages over.
//!
//! Loom tries the orders of all steps. The protocols are the crate's own files, compiled anew with
//! the atomics and the mutex of `runtime/sync.rs` here.
//! The queue, the executor and the poll are stand-ins. A wake that is lost is a deadlock here, which loom reports.

#![allow(dead_code, reason = "a model needs only a part of the crate's file")]
#![allow(clippy::unwrap_used, reason = "a model that panics has failed, as it should")]

use std::collections::VecDeque;
use std::sync::Arc;

use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::sleep::Sleep;

#[path = "../../src/event_loop/sleep.rs"]
mod sleep;

mod server;

/// Stands for the floor of that name.
mod runtime {
    pub(crate) mod sync;
}

/// A loop that sleeps, or is about to, sees every call that two other threads post.
#[test]
fn no_posted_call_is_lost() {
    model(|| {
        let event_loop = Arc::new(Loop::new());
        let posters = [1, 2].map(|call| {
            let event_loop = Arc::clone(&event_loop);
            thread::spawn(move || event_loop.post(call))
        });

        run_for_two_calls(&event_loop);
        for poster in posters {
            poster.join().unwrap();
        }
    });
}

/// Runs a loop, which waits when it has nothing to do, until it has made both calls.
fn run_for_two_calls(event_loop: &Loop) {
    event_loop.begin_run();
    let mut made = 0;
    while made < 2 {
        made += event_loop.turn();
        if made < 2 {
            event_loop.wait();
        }
    }
    event_loop.end_run();
}

/// The same for calls that one thread posts one after the other.
#[test]
fn no_call_behind_another_is_lost() {
    model(|| {
        let event_loop = Arc::new(Loop::new());
        let posting = Arc::clone(&event_loop);
        let poster = thread::spawn(move || (1..=2).for_each(|call| posting.post(call)));

        run_for_two_calls(&event_loop);
        poster.join().unwrap();
    });
}

/// A thread that polls the descriptor of a loop, and runs it for one turn when it is readable, sees
/// every call: those that come during a turn, at its end, and between two of them.
#[test]
fn a_poll_loop_around_it_misses_nothing() {
    model(|| {
        let event_loop = Arc::new(Loop::new());
        let posters = [1, 2].map(|call| {
            let event_loop = Arc::clone(&event_loop);
            thread::spawn(move || event_loop.post(call))
        });

        let mut made = 0;
        while made < 2 {
            event_loop.poll.wait();
            event_loop.begin_run();
            made += event_loop.turn();
            event_loop.end_run();
        }
        for poster in posters {
            poster.join().unwrap();
        }
    });
}

/// A thread that runs its loop now and then gets one wake-up for many calls.
#[test]
fn a_loop_that_is_awake_is_left_alone() {
    model(|| {
        let event_loop = Arc::new(Loop::new());
        event_loop.begin_run();
        let posting = Arc::clone(&event_loop);
        let poster = thread::spawn(move || (1..=2).for_each(|call| posting.post(call)));

        let made = event_loop.turn();
        poster.join().unwrap();

        assert!(!event_loop.poll.is_readable());
        assert_eq!(made + event_loop.turn(), 2);
    });
}

/// A loop runs all tasks that two other threads wake: it looks for them behind a notification.
#[test]
fn no_task_that_another_thread_wakes_is_lost() {
    model(|| {
        let shared = Arc::new((Loop::new(), Executor::default()));
        let threads = [1, 2].map(|task| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.1.wake(task, &shared.0))
        });

        let (event_loop, executor) = &*shared;
        event_loop.begin_run();
        let (mut made, mut may_have_tasks) = (0, true);
        while made < 2 {
            may_have_tasks |= event_loop.sleep.clear_notified();
            if may_have_tasks || event_loop.sleep.is_notified() {
                made += executor.run();
                may_have_tasks = false;
            }
            if made < 2 {
                event_loop.wait();
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    // More are tried with LOOM_MAX_PREEMPTIONS in the environment.
    model.preemption_bound.get_or_insert(3);
    model.check(body);
}

/// An event loop without its reactor, tasks and timers.
struct Loop {
    sleep: Sleep,
    calls: Mutex<VecDeque<u32>>,
    poll: Poll,
}

impl Loop {
    fn new() -> Self {
        Self { sleep: Sleep::new(), calls: Mutex::default(), poll: Poll::new() }
    }

    /// `LoopHandle::post`.
    fn post(&self, call: u32) {
        self.calls.lock().unwrap().push_back(call);
        if self.sleep.notify() {
            self.poll.wake();
        }
    }

    /// `Run::begin`.
    fn begin_run(&self) {
        self.sleep.wake_up();
    }

    /// `Run::turn`; returns how many calls it has made.
    fn turn(&self) -> usize {
        self.sleep.clear_notified();
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        calls.len()
    }

    /// `Run::wait` without a timeout.
    fn wait(&self) {
        if self.sleep.fall_asleep() {
            self.poll.wait();
        }
        self.sleep.wake_up();
    }

    /// The end of a run that is not inside another one.
    fn end_run(&self) {
        if !self.sleep.fall_asleep() {
            self.poll.wake();
        }
    }
}

/// An executor that notifies the loop when it waits for a task, and once.
#[derive(Default)]
struct Executor {
    ready: Mutex<VecDeque<u32>>,
    is_waiting: Mutex<bool>,
}

impl Executor {
    fn wake(&self, task: u32, event_loop: &Loop) {
        self.ready.lock().unwrap().push_back(task);
        let was_waiting = std::mem::take(&mut *self.is_waiting.lock().unwrap());
        if was_waiting && event_loop.sleep.notify() {
            event_loop.poll.wake();
        }
    }

    /// `Runner::run_ready`: runs tasks until there is none once it waits; returns how many.
    fn run(&self) -> usize {
        let mut made = 0;
        loop {
            made += self.take_ready();
            *self.is_waiting.lock().unwrap() = true;
            match self.take_ready() {
                0 => return made,
                more => made += more,
            }
        }
    }

    fn take_ready(&self) -> usize {
        std::mem::take(&mut *self.ready.lock().unwrap()).len()
    }
}

/// The poll of a reactor, with nothing in it but the waker.
struct Poll {
    is_woken: Mutex<bool>,
    change: Condvar,
}

impl Poll {
    fn new() -> Self {
        Self { is_woken: Mutex::new(false), change: Condvar::new() }
    }

    fn wake(&self) {
        *self.is_woken.lock().unwrap() = true;
        self.change.notify_all();
    }

    fn wait(&self) {
        let mut is_woken = self.is_woken.lock().unwrap();
        while !*is_woken {
            is_woken = self.change.wait(is_woken).unwrap();
        }
        *is_woken = false;
    }

    fn is_readable(&self) -> bool {
        *self.is_woken.lock().unwrap()
    }
}
