//! SIGINT and SIGTERM of Unix, which write into a pipe that the loop watches.

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

/// Ends every `exec` of the thread at the first SIGINT or SIGTERM.
pub(super) fn watch_signals(event_loop: &EventLoop) -> io::Result<()> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    let mut reader = net::UnixStream::from_std(reader);
    let source = event_loop.state.reactor.register(&mut reader)?;
    let handlers = Handlers::install(&writer)?;

    let task = async move {
        poll_fn(|cx| {
            source.set_waker(cx.waker());
            if source.is_readable() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        EventLoop::current().quit();
        // The handlers stay for the next signal.
        std::future::pending::<()>().await;
        drop((reader, handlers));
    };
    event_loop.spawn(task).detach();
    Ok(())
}

/// The handlers of SIGINT and SIGTERM, which last as long as the loop.
///
/// The first signal writes into a pipe; any later one acts as in a program without handlers.
struct Handlers {
    was_received: Arc<AtomicBool>,
    writers: Vec<SigId>,
}

impl Handlers {
    fn install(writer: &UnixStream) -> io::Result<Self> {
        let mut handlers = Self { was_received: Arc::default(), writers: Vec::new() };
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal must not find the flag that it sets.
            flag::register_conditional_default(signal, Arc::clone(&handlers.was_received))?;
            flag::register(signal, Arc::clone(&handlers.was_received))?;
            handlers.writers.push(pipe::register(signal, writer.try_clone()?)?);
        }
        Ok(handlers)
    }
}

impl Drop for Handlers {
    /// Lets a signal end the program again: no loop receives it.
    fn drop(&mut self) {
        self.was_received.store(true, Ordering::SeqCst);
        for writer in self.writers.drain(..) {
            unregister(writer);
        }
    }
}
