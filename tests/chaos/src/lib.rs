//! Clients and a server against each other, through a network with faults, in virtual time.
//!
//! A seed determines everything: the settings, the steps, and the faults of the network, which cuts,
//! stalls, delays, fragments and slows down what is sent, from the first byte of the opening handshake
//! on. After each run these properties hold:
//!
//! * each connection ends with one `disconnected`, the last of its signals;
//! * messages arrive whole, in their order, none twice, and none is left out;
//! * all messages in front of a close frame that has arrived have arrived;
//! * deadlines are kept on the virtual clock: no connection is left when they have passed;
//! * nothing is left: no socket, connection, deadline or allocation.

#![allow(
    clippy::must_use_candidate,
    clippy::missing_panics_doc,
    reason = "for tests alone, which end with the first panic"
)]

mod checks;
mod record;
pub mod script;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::script::Script;
use crate::world::World;

/// The outcome of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The properties that did not hold.
    pub violations: Vec<String>,
    /// What happened, with the time on the virtual clock.
    pub log: Vec<String>,
}

/// Runs a script on a thread of its own, whose loop ends with it.
pub fn run(script: &Script) -> Outcome {
    let script = script.clone();
    let panicked = || Outcome { violations: vec!["the run panicked".into()], log: Vec::new() };
    thread::spawn(move || run_here(&script)).join().unwrap_or_else(|_| panicked())
}

/// Returns how many bytes a run leaves allocated, on a thread on which it has run before.
pub fn leaked(script: &Script) -> i64 {
    let script = script.clone();
    let measured = thread::spawn(move || {
        run_here(&script);
        allocation_counter::measure(|| drop(run_here(&script))).bytes_current
    });
    measured.join().unwrap_or(i64::MAX)
}

fn run_here(script: &Script) -> Outcome {
    let world = World::new(script.settings);
    let (log, violations) = (world.log.clone(), world.violations.clone());
    let run = catch_unwind(AssertUnwindSafe(|| {
        world.run(script);
        world.check();
    }));
    if run.is_err() {
        violations.borrow_mut().push("a panic".into());
    }
    let (violations, log) = (violations.borrow().clone(), log.borrow().clone());
    Outcome { violations, log }
}

/// Returns the steps that a script needs to fail: without any one of them it does not.
pub fn shrink(script: &Script, fails: impl Fn(&Script) -> bool) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..script.steps.len()).collect();
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(start..(start + size).min(kept.len()));
            if fails(&script.keeping(&fewer)) {
                kept = fewer;
            } else {
                start += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    kept
}
