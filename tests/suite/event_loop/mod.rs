//! The event loop of a thread: running it, calls and timers in it, panics, loops inside loops.

mod call_order;
mod debugging;
mod deferred;
mod durations;
mod embedding;
mod ended_threads;
mod event_thread;
mod exec;
mod nested_loop;
mod nesting;
mod panicking_drops;
mod panics;
mod socket_notifier;
mod spawn_to;
#[cfg(feature = "testing")]
mod stats;
mod thread_end;
mod timer;
mod waiting;
