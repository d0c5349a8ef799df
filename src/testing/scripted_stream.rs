//! A stream with a scripted peer and kernel.
//!
//! The script determines which bytes arrive, how many bytes the kernel accepts, and where either
//! fails. It reports the same edges as the kernel: one when input arrives, and, if that is watched,
//! one when the kernel accepts output after it has refused some. A script can also be a kernel that
//! [reports less](ScriptedPeer::report_after_would_block).

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Registry, Token, event};

use crate::net::stream::Stream;
use crate::net::stream::socket_stream::SocketStream;
use crate::runtime::reactor::{Reactor, SourceHandle};
use crate::runtime::sync::{Mutex, MutexGuard};

/// A stream to a [`ScriptedPeer`].
pub(crate) type ScriptedStream = SocketStream<ScriptedIo>;

/// The other end of a scripted stream, and the kernel between them.
#[derive(Clone)]
pub(crate) struct ScriptedPeer {
    wire: Arc<Mutex<Wire>>,
    source: SourceHandle,
}

/// The socket of a scripted stream.
pub(crate) struct ScriptedIo(Arc<Mutex<Wire>>);

/// Makes a stream and the other end of it.
pub(crate) fn scripted_stream() -> io::Result<(Stream, ScriptedPeer)> {
    let wire = Arc::new(Mutex::new(Wire::default()));
    let mut io = ScriptedIo(Arc::clone(&wire));
    let source = Reactor::current()?.register(&mut io)?;
    wire.lock().source = Some(source.handle());
    let peer = ScriptedPeer { wire, source: source.handle() };
    Ok((Stream::Scripted(SocketStream { io, source }), peer))
}

/// The bytes on their way between the two ends.
#[derive(Default)]
struct Wire {
    /// The unread input.
    arrived: VecDeque<u8>,
    /// The end behind it.
    end: Option<End>,
    written: Vec<u8>,
    /// How many bytes the kernel accepts until it blocks.
    room: usize,
    /// Whether it has refused output since the last edge.
    has_blocked: bool,
    /// What is an event.
    interest: Option<Interest>,
    /// The source of the stream, for an event at once.
    source: Option<SourceHandle>,
    edges: Edges,
    /// The position in the output at which writing fails.
    write_failure: Option<(usize, ErrorKind)>,
    /// How many calls a signal interrupts before one succeeds.
    interruptions: usize,
    held: Held,
    is_shut_down: bool,
    is_closed: bool,
    /// The kernel's timeout for what is not acknowledged; `None` where it has none.
    user_timeout: Option<UserTimeout>,
}

/// A kernel's timeout for what is not acknowledged, once it is set.
#[derive(Clone, Copy, Default)]
struct UserTimeout(Option<Duration>);

/// When an edge follows the one before.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Edges {
    /// Always: the kernel has epoll or kqueue.
    #[default]
    Each,
    /// Once a call has failed with `WouldBlock`.
    ///
    /// Of input, none has since the last edge if one `is_reported`.
    WouldBlock { is_reported: bool },
}

/// Whether the last output waits for the end of the sending direction.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Held {
    #[default]
    Never,
    Now,
    Before,
}

#[derive(Clone, Copy)]
enum End {
    /// The peer has ended its sending direction.
    Orderly,
    Failure(ErrorKind),
    /// Our end has read one of these.
    Read,
}

impl ScriptedPeer {
    /// Lets bytes arrive, unless the peer has ended already.
    pub(crate) fn send(&self, bytes: &[u8]) {
        let mut wire = self.wire();
        if wire.end.is_none() && !bytes.is_empty() {
            wire.arrived.extend(bytes);
            let is_edge = wire.reports_input();
            drop(wire);
            if is_edge {
                self.source.script_event(true, false, false);
            }
        }
    }

    /// Ends the peer's sending direction.
    pub(crate) fn end(&self) {
        let mut wire = self.wire();
        wire.end.get_or_insert(End::Orderly);
        let is_edge = wire.reports_input();
        drop(wire);
        if is_edge {
            self.source.script_event(true, false, true);
        }
    }

    /// Reports events as mio does on Windows.
    ///
    /// There is one event, and the next after a call has failed with `WouldBlock`.
    pub(crate) fn report_after_would_block(&self) {
        self.wire().edges = Edges::WouldBlock { is_reported: false };
        self.source.script_reports_after_would_block();
    }

    /// Lets reading fail behind the unread input.
    pub(crate) fn fail_reading(&self, kind: ErrorKind) {
        self.wire().end.get_or_insert(End::Failure(kind));
        self.source.script_event(true, true, true);
    }

    /// Lets writing fail once the kernel has accepted this many bytes in all.
    pub(crate) fn fail_writing(&self, place: usize, kind: ErrorKind) {
        self.wire().write_failure = Some((place, kind));
    }

    /// Lets the kernel accept more output.
    pub(crate) fn make_room(&self, count: usize) {
        let mut wire = self.wire();
        wire.room = wire.room.saturating_add(count);
        let is_edge = count > 0 && wire.watches_room() && mem::take(&mut wire.has_blocked);
        drop(wire);
        if is_edge {
            self.source.script_event(false, true, false);
        }
    }

    /// Reports the write failure if a write was refused before; returns whether it did.
    pub(crate) fn report_failure(&self) -> bool {
        let mut wire = self.wire();
        let is_news = wire.has_failed() && mem::take(&mut wire.has_blocked);
        drop(wire);
        if is_news {
            self.source.script_event(false, true, false);
        }
        is_news
    }

    /// Reports a spurious event.
    pub(crate) fn report_in_vain(&self) {
        self.source.script_event(true, true, false);
    }

    /// Lets a signal interrupt the next calls.
    pub(crate) fn interrupt(&self, calls: usize) {
        self.wire().interruptions = calls;
    }

    /// Lets the kernel measure what the peer acknowledges, as Linux does.
    pub(crate) fn measure_acknowledgements(&self) {
        self.wire().user_timeout = Some(UserTimeout::default());
    }

    /// Returns the timeout that was set for what the peer does not acknowledge.
    pub(crate) fn user_timeout(&self) -> Option<Duration> {
        self.wire().user_timeout.and_then(|UserTimeout(timeout)| timeout)
    }

    /// Returns what our end has written so far.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.wire().written.clone()
    }

    /// Returns whether there is unread input, or the end.
    pub(crate) fn has_unread(&self) -> bool {
        let wire = self.wire();
        !wire.arrived.is_empty() || matches!(wire.end, Some(End::Orderly | End::Failure(_)))
    }

    /// Returns whether a write would not be refused.
    pub(crate) fn has_room(&self) -> bool {
        let wire = self.wire();
        wire.room > 0 || wire.has_failed()
    }

    /// Returns whether our sending direction has ended.
    pub(crate) fn is_shut_down(&self) -> bool {
        self.wire().is_shut_down
    }

    /// Returns whether output waits for the end of our sending direction.
    #[cfg(test)]
    pub(crate) fn is_held(&self) -> bool {
        self.wire().held == Held::Now
    }

    /// Returns whether any output has done so.
    #[cfg(test)]
    pub(crate) fn has_held(&self) -> bool {
        self.wire().held != Held::Never
    }

    /// Returns whether our end is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.wire().is_closed
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock()
    }
}

impl ScriptedIo {
    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.0.lock()
    }
}

impl Read for ScriptedIo {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.wire();
        wire.check_interruption()?;
        if !wire.arrived.is_empty() {
            // As a kernel does: all there is.
            wire.arrived.make_contiguous();
            return wire.arrived.read(buffer);
        }
        wire.reset_input_edge();
        match wire.end {
            None => Err(ErrorKind::WouldBlock.into()),
            Some(End::Orderly | End::Read) => {
                wire.end = Some(End::Read);
                Ok(0)
            }
            Some(End::Failure(kind)) => {
                wire.end = Some(End::Read);
                Err(kind.into())
            }
        }
    }
}

impl Write for ScriptedIo {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.wire();
        wire.check_interruption()?;
        assert!(!wire.is_shut_down, "it writes although it has ended its direction");
        let before = wire.written.len();
        let room = match wire.write_failure {
            Some((place, kind)) if before >= place => return Err(kind.into()),
            Some((place, _)) => wire.room.min(place - before),
            None => wire.room,
        };
        for buffer in buffers {
            let free = room - (wire.written.len() - before);
            wire.written.extend_from_slice(&buffer[..buffer.len().min(free)]);
        }
        let count = wire.written.len() - before;
        wire.room -= count;
        if count < buffers.iter().map(|buffer| buffer.len()).sum() {
            wire.has_blocked |= count == 0 || wire.edges == Edges::Each;
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire {
    /// Returns whether room is an event.
    fn watches_room(&self) -> bool {
        self.interest.is_some_and(Interest::is_writable)
    }

    /// Returns whether new input is reported.
    fn reports_input(&mut self) -> bool {
        match &mut self.edges {
            Edges::Each => true,
            Edges::WouldBlock { is_reported } => !mem::replace(is_reported, true),
        }
    }

    /// Lets the next input be reported.
    fn reset_input_edge(&mut self) {
        if let Edges::WouldBlock { is_reported } = &mut self.edges {
            *is_reported = false;
        }
    }

    /// Returns whether the next write fails.
    fn has_failed(&self) -> bool {
        self.write_failure.is_some_and(|(place, _)| self.written.len() >= place)
    }

    fn check_interruption(&mut self) -> io::Result<()> {
        match self.interruptions.checked_sub(1) {
            None => Ok(()),
            Some(left) => {
                self.interruptions = left;
                Err(ErrorKind::Interrupted.into())
            }
        }
    }
}

impl Drop for ScriptedIo {
    fn drop(&mut self) {
        self.wire().is_closed = true;
    }
}

impl ScriptedStream {
    pub(crate) fn try_write_last(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.try_write_here(buffer)?;
        if written == buffer.len() {
            self.io.wire().held = Held::Now;
        }
        Ok(written)
    }

    /// Returns whether room is an event.
    #[cfg(test)]
    pub(crate) fn watches_room(&self) -> bool {
        self.io.wire().watches_room()
    }

    pub(crate) fn shutdown_write(&mut self) -> io::Result<bool> {
        let mut wire = self.io.wire();
        if wire.held == Held::Now {
            wire.held = Held::Before;
        }
        drop(wire);
        let was_shut_down = mem::replace(&mut self.io.wire().is_shut_down, true);
        if was_shut_down { Err(ErrorKind::NotConnected.into()) } else { Ok(true) }
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        if self.io.wire().is_closed {
            return Err(ErrorKind::NotConnected.into());
        }
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }
}

/// The options of TCP, which a script does not have.
#[expect(clippy::unused_self, reason = "the methods are those of `TcpStream`")]
impl ScriptedStream {
    pub(crate) fn set_unsent_limit(&self, _: Option<usize>) {}

    pub(crate) fn set_send_buffer(&self, _: Option<usize>) {}

    pub(crate) fn set_user_timeout(&self, timeout: Option<Duration>) -> bool {
        let mut wire = self.io.wire();
        wire.user_timeout.as_mut().map(|kept| *kept = UserTimeout(timeout)).is_some()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        false
    }

    pub(crate) fn end(&self) -> io::Error {
        ErrorKind::UnexpectedEof.into()
    }
}

/// Events come from the script, not from the poll.
impl event::Source for ScriptedIo {
    fn register(&mut self, _: &Registry, _: Token, interest: Interest) -> io::Result<()> {
        self.wire().interest = Some(interest);
        Ok(())
    }

    fn reregister(&mut self, _: &Registry, _: Token, interest: Interest) -> io::Result<()> {
        let mut wire = self.wire();
        wire.interest = Some(interest);
        let has_room = wire.watches_room() && wire.room > 0 && wire.write_failure.is_none();
        let source = wire.source.clone().filter(|_| has_room);
        drop(wire);
        if let Some(source) = source {
            source.script_event(false, true, false);
        }
        Ok(())
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        Ok(())
    }
}
