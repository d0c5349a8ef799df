//! Signal streams: awaiting all emissions of a signal.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use crate::awaiting::buffer::{Keep, Reader, buffer};
use crate::connection::scoped::ScopedConnection;
use crate::receiver::handle::Handle;
use crate::signal::Signal;
use crate::signal::member::Member;
use crate::signal::signal_ref::SignalRef;

/// The stream of a signal's values, made by [`Signal::stream`].
///
/// It may be read on any thread, independent of the emitting one. Dropping it disconnects it.
///
/// # Qt
///
/// Qt has no counterpart; programs connect a slot that fills a `QQueue`.
///
/// # Examples
///
/// ```
/// use slotwork_signals::Signal;
///
/// let text_received = Signal::<str>::new();
/// let mut texts = text_received.stream();
///
/// text_received.emit("one");
/// text_received.emit("two");
/// drop(text_received);
///
/// smol::block_on(async {
///     assert_eq!(texts.next().await.as_deref(), Some("one"));
///     assert_eq!(texts.next().await.as_deref(), Some("two"));
///     assert_eq!(texts.next().await, None);
/// });
/// ```
///
/// It is a `Stream` of futures-core, and fused: after its end it stays at its end.
///
/// ```
/// use slotwork_signals::Signal;
/// use smol::stream::StreamExt;
///
/// let number_received = Signal::<i32>::new();
/// let squares = number_received.stream().map(|number| number * number);
///
/// (1..=3).for_each(|number| number_received.emit(&number));
/// drop(number_received);
/// assert_eq!(smol::block_on(squares.collect::<Vec<_>>()), [1, 4, 9]);
/// ```
pub struct SignalStream<V> {
    reader: Reader<V>,
    connection: ScopedConnection,
    /// Whether the end of the stream was returned.
    is_terminated: bool,
}

impl<T> Signal<T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Returns a stream of the values of all emissions after this call.
    ///
    /// The stream ends with the signal, after the values that were emitted before. Its buffer
    /// of unread values is unbounded; [`stream_latest`](Self::stream_latest) and
    /// [`stream_earliest`](Self::stream_earliest) have bounded buffers.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs connect a slot that fills a `QQueue`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let number_received = Signal::<i32>::new();
    /// let mut numbers = number_received.stream();
    ///
    /// number_received.emit(&1);
    /// assert_eq!(smol::block_on(numbers.next()), Some(1));
    /// ```
    #[track_caller]
    pub fn stream(&self) -> SignalStream<T::Owned> {
        self.member().stream(Keep::All)
    }

    /// Returns a stream that buffers the latest `capacity` values.
    ///
    /// A reader that is too slow misses the oldest unread values: [`SignalStream::missed`] counts
    /// them. A capacity of 0 is taken as 1.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let position_changed = Signal::<u32>::new();
    /// let mut positions = position_changed.stream_latest(1);
    ///
    /// (0..=100).for_each(|position| position_changed.emit(&position));
    ///
    /// assert_eq!(smol::block_on(positions.next()), Some(100));
    /// assert_eq!(positions.missed(), 100);
    /// ```
    #[track_caller]
    pub fn stream_latest(&self, capacity: usize) -> SignalStream<T::Owned> {
        self.member().stream(Keep::Latest(capacity.max(1)))
    }

    /// Returns a stream that buffers the earliest `capacity` values.
    ///
    /// While the buffer is full, new values are dropped without being copied:
    /// [`SignalStream::missed`] counts them. A capacity of 0 is taken as 1.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let error_occurred = Signal::<str>::new();
    /// let mut errors = error_occurred.stream_earliest(1);
    ///
    /// error_occurred.emit("the cause");
    /// error_occurred.emit("a consequence");
    ///
    /// assert_eq!(smol::block_on(errors.next()).as_deref(), Some("the cause"));
    /// assert_eq!(errors.missed(), 1);
    /// ```
    #[track_caller]
    pub fn stream_earliest(&self, capacity: usize) -> SignalStream<T::Owned> {
        self.member().stream(Keep::Earliest(capacity.max(1)))
    }
}

impl<S, T> SignalRef<'_, S, T>
where
    S: Handle,
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    /// Returns a stream of the values of all emissions, as [`Signal::stream`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart; programs connect a slot that fills a `QQueue`.
    #[track_caller]
    pub fn stream(self) -> SignalStream<T::Owned> {
        self.signal().stream(Keep::All)
    }

    /// Returns a stream of the latest values, as [`Signal::stream_latest`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[track_caller]
    pub fn stream_latest(self, capacity: usize) -> SignalStream<T::Owned> {
        self.signal().stream(Keep::Latest(capacity.max(1)))
    }

    /// Returns a stream of the earliest values, as [`Signal::stream_earliest`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    #[track_caller]
    pub fn stream_earliest(self, capacity: usize) -> SignalStream<T::Owned> {
        self.signal().stream(Keep::Earliest(capacity.max(1)))
    }
}

impl<T> Member<'_, T>
where
    T: ?Sized + ToOwned<Owned: Send> + 'static,
{
    #[track_caller]
    fn stream(self, keep: Keep) -> SignalStream<T::Owned> {
        let (writer, reader) = buffer(keep);
        let connection = self.connect_direct(move |value| writer.put(|| value.to_owned()));
        SignalStream { reader, connection: connection.scoped(), is_terminated: false }
    }
}

impl<V> SignalStream<V> {
    /// Returns the next value, or `None` at the end of the stream.
    ///
    /// The stream ends when the signal is dropped and all values were read. The future is
    /// cancel-safe: no value is lost when it is dropped.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub async fn next(&mut self) -> Option<V> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Polls for the next value, as [`Stream::poll_next`] but without `Pin`.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<V>> {
        let value = self.reader.poll_take(context);
        self.is_terminated |= matches!(value, Poll::Ready(None));
        value
    }

    /// Returns the number of values that were dropped because the buffer was full.
    ///
    /// Always 0 for [`Signal::stream`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn missed(&self) -> u64 {
        self.reader.missed()
    }
}

impl<V> Stream for SignalStream<V> {
    type Item = V;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<V>> {
        self.get_mut().poll_next(context)
    }
}

/// The stream is terminated once it has returned `None`.
///
/// All later polls return `None` too.
impl<V> FusedStream for SignalStream<V> {
    fn is_terminated(&self) -> bool {
        self.is_terminated
    }
}

impl<V> fmt::Debug for SignalStream<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalStream").field("connection", &self.connection).finish_non_exhaustive()
    }
}
