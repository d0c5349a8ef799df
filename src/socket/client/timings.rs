//! Measures a client's steps: look-up, TCP, proxy, TLS, opening handshake.

use std::time::{Duration, Instant};

use crate::runtime::clock;
use crate::socket::WebSocket;
use crate::socket::client::state::{ClientEnd, ClientState};
use crate::types::connect_timings::ConnectTimings;

/// Measurement of connecting.
impl WebSocket {
    /// Sets whether the steps of `open` are measured; the default is `false`.
    ///
    /// It takes effect with the next [`open`](Self::open). [`connect_timings`](Self::connect_timings)
    /// returns the durations.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// let socket = WebSocket::new();
    /// socket.set_connect_timings_enabled(true);
    /// socket.connected().connect(|socket, ()| {
    ///     if let Some(timings) = socket.connect_timings() {
    ///         println!("TLS took {:?}", timings.tls.unwrap_or_default());
    ///     }
    /// });
    /// ```
    pub fn set_connect_timings_enabled(&self, is_enabled: bool) {
        if let Some(end) = self.inner.client_end() {
            let timings = is_enabled.then(Box::default);
            end.lock().timings = timings;
        }
    }

    /// Returns the durations of the steps of the last `open`.
    ///
    /// While the socket connects they are those of the steps so far. `None` unless
    /// [`set_connect_timings_enabled`](Self::set_connect_timings_enabled) is set, and for a socket
    /// that a server accepted.
    #[must_use]
    pub fn connect_timings(&self) -> Option<ConnectTimings> {
        self.inner.client_end().and_then(|end| end.lock().timings.as_deref().cloned())
    }
}

impl ClientState {
    /// Clears the durations; returns whether they are measured.
    pub(crate) fn clear_timings(&mut self) -> bool {
        let Some(timings) = self.timings.as_deref_mut() else { return false };
        *timings = ConnectTimings::default();
        true
    }
}

/// A stopwatch for the steps of an attempt.
///
/// It reads no clock unless that is enabled.
pub(crate) struct Stopwatch<'a> {
    end: &'a ClientEnd,
    /// The end of the last step.
    begun: Option<Instant>,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn new(end: &'a ClientEnd) -> Self {
        Self { end, begun: None }
    }

    /// Begins the first step of a connection, and clears what was measured before.
    pub(crate) fn restart(&mut self) {
        let is_measured = self.end.lock().clear_timings();
        self.begun = is_measured.then(clock::now);
    }

    /// Ends a step, and begins the next one.
    pub(crate) fn lap(&mut self, step: impl FnOnce(&mut ConnectTimings) -> &mut Option<Duration>) {
        let Some(begun) = &mut self.begun else { return };
        let now = clock::now();
        let elapsed = now.duration_since(*begun);
        *begun = now;
        if let Some(timings) = self.end.lock().timings.as_deref_mut() {
            *step(timings) = Some(elapsed);
        }
    }
}
