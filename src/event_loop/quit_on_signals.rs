//! Ending a loop when the operating system asks the program to end.

use std::future::poll_fn;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use mio::net;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};
use signal_hook::{SigId, flag};

use crate::event_loop::EventLoop;

/// What SIGINT and SIGTERM do while the loop lives: the first one writes into a pipe, and any later
/// one does what it would do to a program that does not handle it.
struct Handlers {
    was_asked: Arc<AtomicBool>,
    writers: Vec<SigId>,
}

/// Ends every `exec` of the thread at the first SIGINT or SIGTERM.
pub(super) fn quit_on_signals(event_loop: &EventLoop) -> io::Result<()> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    let mut reader = net::UnixStream::from_std(reader);
    let registration = event_loop.state.reactor.register(&mut reader)?;
    let handlers = Handlers::install(&writer)?;

    let task = async move {
        let source = registration.source();
        poll_fn(|cx| {
            source.set_waker(cx.waker());
            if source.is_readable() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        EventLoop::current().quit();
        // They stay for the next signal.
        std::future::pending::<()>().await;
        drop((reader, handlers));
    };
    event_loop.spawn(task).detach();
    Ok(())
}

impl Handlers {
    fn install(writer: &UnixStream) -> io::Result<Self> {
        let mut handlers = Self { was_asked: Arc::default(), writers: Vec::new() };
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal must not find the flag set by itself.
            flag::register_conditional_default(signal, Arc::clone(&handlers.was_asked))?;
            flag::register(signal, Arc::clone(&handlers.was_asked))?;
            handlers.writers.push(pipe::register(signal, writer.try_clone()?)?);
        }
        Ok(handlers)
    }
}

impl Drop for Handlers {
    /// Without a loop that hears of it, a signal ends the program.
    fn drop(&mut self) {
        self.was_asked.store(true, Ordering::SeqCst);
        for writer in self.writers.drain(..) {
            unregister(writer);
        }
    }
}
