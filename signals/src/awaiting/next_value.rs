//! The next value of a signal, as a future.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::awaiting::buffer::{Keep, Reader, buffer};
use crate::connection::scoped::ScopedConnection;
use crate::receiver::handle::Handle;
use crate::signal::Signal;
use crate::signal::member::Member;
use crate::signal::signal_ref::SignalRef;

/// The future of a signal's next value, made by [`Signal::next`].
///
/// It may be awaited on any thread, independent of the emitting one.
///
/// # Qt
///
/// The `QFuture` of `QtFuture::connect()`.
#[must_use = "futures do nothing unless they are polled"]
pub struct Next<V> {
    reader: Reader<V>,
    /// Disconnected with the first value, or with this future.
    connection: Option<ScopedConnection>,
}

impl<T> Signal<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Returns a future of the next value; `None` if the signal is dropped before.
    ///
    /// Emissions count from this call on, not from the first poll: an emission between the call and
    /// the `await` is not missed.
    ///
    /// # Qt
    ///
    /// `QtFuture::connect()`. It also replaces blocking queued connections, and local `QEventLoop`s
    /// that quit on the signal.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let finished = Signal::<str>::new();
    /// let result = finished.next();
    ///
    /// finished.emit("done");
    /// assert_eq!(smol::block_on(result).as_deref(), Some("done"));
    /// ```
    #[doc(alias = "QtFuture::connect")]
    #[doc(alias = "BlockingQueuedConnection")]
    #[doc(alias = "QtFuture")]
    #[track_caller]
    pub fn next(&self) -> Next<T::Owned> {
        self.member().next()
    }
}

impl<S, T> SignalRef<'_, S, T>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Returns a future of the next value, as [`Signal::next`].
    ///
    /// # Qt
    ///
    /// `QtFuture::connect(sender, &Sender::signal)`.
    #[doc(alias = "QtFuture::connect")]
    #[doc(alias = "QtFuture")]
    #[track_caller]
    pub fn next(self) -> Next<T::Owned> {
        self.signal().next()
    }
}

impl<T> Member<'_, T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    #[track_caller]
    fn next(self) -> Next<T::Owned> {
        let (writer, reader) = buffer(Keep::First);
        let connection = self.connect_direct(move |value| writer.put(|| value.to_owned()));
        Next { reader, connection: Some(connection.scoped()) }
    }
}

impl<V> Future for Next<V> {
    type Output = Option<V>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<V>> {
        let value = self.reader.poll_take(context);
        if value.is_ready() {
            self.connection = None;
        }
        value
    }
}

impl<V> fmt::Debug for Next<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("connection", &self.connection).finish_non_exhaustive()
    }
}
