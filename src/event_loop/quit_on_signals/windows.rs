//! Ctrl-C in a console of Windows, which a thread of its own receives.

use std::io;
use std::mem;
use std::process;
use std::thread;

use async_signal::{Signal, Signals};
use smol::future;
use smol::stream::StreamExt;

use crate::event_loop::{EventLoop, WeakLoopHandle};
use crate::runtime::sync::Mutex;

/// Ends every `exec` of the thread at the first signal.
pub(super) fn watch_signals(event_loop: &EventLoop) -> io::Result<()> {
    let mut watch = WATCH.lock();
    if !watch.has_handler {
        start_receiving()?;
        watch.has_handler = true;
    }
    // The loops of threads that have ended make room.
    watch.loops.retain(WeakLoopHandle::is_alive);
    watch.loops.push(event_loop.handle().downgrade());
    Ok(())
}

/// Starts the thread that receives the signals, whatever the loops do.
fn start_receiving() -> io::Result<()> {
    let mut signals = Signals::new([Signal::Int])?;
    let receive = move || {
        // Not `smol::block_on`, which starts the thread of `async-io`.
        while future::block_on(signals.next()).is_some() {
            end_loops();
        }
    };
    thread::Builder::new().name("ctrl-c".to_owned()).spawn(receive)?;
    Ok(())
}

/// Ends the loops; the program at once, when it has none or at its second signal.
fn end_loops() {
    let mut watch = WATCH.lock();
    let is_first = !mem::replace(&mut watch.was_signalled, true);
    let loops = mem::take(&mut watch.loops);
    drop(watch);

    let mut has_ended_loop = false;
    for event_loop in loops.into_iter().filter(|_| is_first) {
        has_ended_loop |= event_loop.post_if_running(|| EventLoop::current().quit());
    }
    if !has_ended_loop {
        process::exit(STATUS_CONTROL_C_EXIT);
    }
}

/// What the handler, of which a program has one, knows of the loops.
struct Watch {
    has_handler: bool,
    was_signalled: bool,
    loops: Vec<WeakLoopHandle>,
}

static WATCH: Mutex<Watch> =
    Mutex::new(Watch { has_handler: false, was_signalled: false, loops: Vec::new() });

/// The exit code of a program that Ctrl-C ends: 0xC000013A.
const STATUS_CONTROL_C_EXIT: i32 = -0x3FFF_FEC6;

#[cfg(test)]
mod tests {
    use super::*;

    /// A quit that is posted twice might end the next `exec`, which waits for the shutdown.
    #[test]
    fn a_loop_that_makes_the_call_twice_is_ended_once() -> io::Result<()> {
        let event_loop = EventLoop::current();

        for _ in 0..2 {
            event_loop.quit_on_signals().map_err(io::Error::other)?;
        }

        let handle = event_loop.handle().downgrade();
        let watch = WATCH.lock();
        assert_eq!(watch.loops.iter().filter(|other| other.is_of_same_loop(&handle)).count(), 1);
        Ok(())
    }

    /// The list does not grow with threads that come and go.
    #[test]
    fn a_loop_whose_thread_has_ended_makes_room() -> io::Result<()> {
        let ended = thread::spawn(|| {
            let event_loop = EventLoop::current();
            event_loop.quit_on_signals().map(|()| event_loop.handle().downgrade())
        });
        let ended = ended.join().expect("the thread did not panic").map_err(io::Error::other)?;

        EventLoop::current().quit_on_signals().map_err(io::Error::other)?;

        assert!(!WATCH.lock().loops.iter().any(|other| other.is_of_same_loop(&ended)));
        Ok(())
    }
}
