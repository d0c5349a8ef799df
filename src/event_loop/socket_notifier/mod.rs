//! Readiness of descriptors that other libraries read and write, as signals.

use std::fmt;
use std::os::fd::AsFd;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use slotwork_signals::{Handle, SignalRef};

use crate::event_loop::socket_notifier::state::State;
use crate::types::error::Error;

mod state;
mod watch;

/// Emits signals when a descriptor can be read or written.
///
/// With it foreign libraries run on the loop. A cheap handle: clones are the same notifier. It
/// belongs to the thread that made it and emits while that thread's [`EventLoop`](crate::EventLoop)
/// runs; dropping the last handle ends it. It owns the descriptor, which is anything that has one:
/// a socket, a pipe, an `OwnedFd`, an `Rc` of those, or a `BorrowedFd<'static>` for one that a
/// library keeps. It is level-triggered, as Qt's is: it emits in each turn as long as the
/// descriptor is readable (or writable). Unix only; elsewhere a task waits for a socket with
/// `smol::Async` ([UDP](crate::guides::porting#udp) has the code).
///
/// A descriptor may have several notifiers, such as one for reading and one for writing; each emits
/// what is enabled on it, and the end of one does not disturb the others. When two of them are
/// enabled for reading, both emit, and the second slot may find nothing left to read: a descriptor
/// that is shared in this way should be non-blocking.
///
/// # Qt
///
/// `QSocketNotifier`; one object is for both directions, and the signal says which. Qt allows one
/// notifier of each type for a descriptor: with `GLib` a second one is emitted as well, otherwise
/// it replaces the first one with a warning.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// use slotwork::{EventLoop, SocketNotifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut foreign, stream) = UnixStream::pair()?;
/// let notifier = SocketNotifier::new(stream)?;
/// notifier.readable().connect(|notifier, ()| {
///     let mut byte = [0];
///     if notifier.socket().read_exact(&mut byte).is_ok() {
///         EventLoop::current().exit(i32::from(byte[0]));
///     }
/// });
///
/// foreign.write_all(&[7])?;
/// assert_eq!(EventLoop::current().exec(), 7);
/// # Ok(())
/// # }
/// ```
pub struct SocketNotifier<D: AsFd> {
    state: Rc<State<D>>,
}

impl<D: AsFd + 'static> SocketNotifier<D> {
    /// Makes a notifier that emits `readable` when `descriptor` can be read.
    ///
    /// # Errors
    ///
    /// [`Error::SocketNotifier`] when the system cannot watch the descriptor, such as that of a
    /// file, or one that this thread watches for something other than a notifier.
    ///
    /// # Examples
    ///
    /// A UDP socket, as `QUdpSocket` with `readyRead`:
    ///
    /// ```
    /// use std::net::UdpSocket;
    ///
    /// use slotwork::{EventLoop, SocketNotifier};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_nonblocking(true)?;
    /// # UdpSocket::bind("127.0.0.1:0")?.send_to(&[7], socket.local_addr()?)?;
    ///
    /// let notifier = SocketNotifier::new(socket)?;
    /// notifier.readable().connect(|notifier, ()| {
    ///     let mut datagram = [0; 1500];
    ///     if let Ok((length, sender)) = notifier.socket().recv_from(&mut datagram) {
    ///         println!("{length} bytes from {sender}");
    /// #       EventLoop::current().quit();
    ///     }
    /// });
    /// EventLoop::current().exec();
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(descriptor: D) -> Result<Self, Error> {
        let state = State::new(descriptor);
        let state = state.map_err(|source| Error::SocketNotifier { source: Arc::new(source) })?;
        Ok(Self { state })
    }

    /// Emitted in each turn in which there is input, an end or an error to be read.
    ///
    /// A slot may disable or drop the notifier. While a slot runs a loop of its own, the notifier
    /// is silent.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    /// use std::os::unix::net::UnixStream;
    ///
    /// use slotwork::SocketNotifier;
    ///
    /// fn log_input(notifier: &SocketNotifier<UnixStream>) {
    ///     notifier.readable().connect(|notifier, ()| {
    ///         let mut buffer = [0; 4096];
    ///         match notifier.socket().read(&mut buffer) {
    ///             // The peer has ended: without this the slot is called in each turn.
    ///             Ok(0) | Err(_) => notifier.set_readable_enabled(false),
    ///             Ok(length) => println!("{length} bytes"),
    ///         }
    ///     });
    /// }
    /// ```
    #[doc(alias = "activated")]
    #[doc(alias = "readyRead")]
    #[doc(alias = "QUdpSocket")]
    #[doc(alias = "QTcpSocket")]
    #[must_use]
    pub fn readable(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.state.readable)
    }

    /// Emitted in each turn in which there is room to write, or an error, once enabled.
    #[doc(alias = "activated")]
    #[must_use]
    pub fn writable(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.state.writable)
    }

    /// Sets whether `readable` is emitted: for input, an end or an error.
    ///
    /// Enabled by default.
    ///
    /// # Qt
    ///
    /// `QSocketNotifier::setEnabled()` of one with type `Read`.
    #[doc(alias = "setEnabled")]
    pub fn set_readable_enabled(&self, is_enabled: bool) {
        if self.state.interest.reads.replace(is_enabled) != is_enabled {
            self.state.interest_changed();
        }
    }

    /// Sets whether `writable` is emitted: for room to write, or an error.
    ///
    /// Disabled by default, because mostly there is room. Enable it when a write took less than was
    /// asked for.
    ///
    /// # Qt
    ///
    /// `QSocketNotifier::setEnabled()` of one with type `Write`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::io::Write;
    /// use std::os::unix::net::UnixStream;
    ///
    /// use slotwork::SocketNotifier;
    ///
    /// /// Writes what is left as soon as there is room.
    /// fn write_rest(notifier: &SocketNotifier<UnixStream>, rest: Vec<u8>) {
    ///     let rest = RefCell::new(rest);
    ///     notifier.writable().connect(move |notifier, ()| {
    ///         let written = notifier.socket().write(&rest.borrow()).unwrap_or_default();
    ///         rest.borrow_mut().drain(..written);
    ///         notifier.set_writable_enabled(!rest.borrow().is_empty());
    ///     });
    ///     notifier.set_writable_enabled(true);
    /// }
    /// ```
    #[doc(alias = "setEnabled")]
    pub fn set_writable_enabled(&self, is_enabled: bool) {
        if self.state.interest.writes.replace(is_enabled) != is_enabled {
            self.state.interest_changed();
        }
    }

    /// Returns whether `readable` is emitted.
    #[doc(alias = "isEnabled")]
    #[must_use]
    pub fn is_readable_enabled(&self) -> bool {
        self.state.interest.reads.get()
    }

    /// Returns whether `writable` is emitted.
    #[doc(alias = "isEnabled")]
    #[must_use]
    pub fn is_writable_enabled(&self) -> bool {
        self.state.interest.writes.get()
    }

    /// Returns the descriptor.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::UdpSocket;
    ///
    /// use slotwork::SocketNotifier;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let notifier = SocketNotifier::new(UdpSocket::bind("127.0.0.1:0")?)?;
    /// println!("listening on {}", notifier.socket().local_addr()?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn socket(&self) -> &D {
        &self.state.descriptor
    }
}

impl<D: AsFd> Clone for SocketNotifier<D> {
    fn clone(&self) -> Self {
        Self { state: Rc::clone(&self.state) }
    }
}

impl<D: AsFd + 'static> Handle for SocketNotifier<D> {
    type Weak = WeakSocketNotifier<D>;

    fn downgrade(&self) -> WeakSocketNotifier<D> {
        WeakSocketNotifier { state: Rc::downgrade(&self.state) }
    }

    fn upgrade(weak: &WeakSocketNotifier<D>) -> Option<Self> {
        weak.upgrade()
    }
}

impl<D: AsFd> fmt::Debug for SocketNotifier<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketNotifier")
            .field("descriptor", &self.state.descriptor.as_fd())
            .field("readable", &self.state.interest.reads.get())
            .field("writable", &self.state.interest.writes.get())
            .finish()
    }
}

/// A handle that does not keep its [`SocketNotifier`] alive.
pub struct WeakSocketNotifier<D: AsFd> {
    state: Weak<State<D>>,
}

impl<D: AsFd> WeakSocketNotifier<D> {
    /// Returns the notifier, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<SocketNotifier<D>> {
        Some(SocketNotifier { state: self.state.upgrade()? })
    }
}

impl<D: AsFd> Clone for WeakSocketNotifier<D> {
    fn clone(&self) -> Self {
        Self { state: Weak::clone(&self.state) }
    }
}

impl<D: AsFd> fmt::Debug for WeakSocketNotifier<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSocketNotifier").finish_non_exhaustive()
    }
}
