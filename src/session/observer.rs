//! The observer of a connection: what floors above implement to receive its events.
//!
//! A file of its own although it is short: it is the interface of this floor towards those above.

use std::ops::Deref;
use std::sync::Arc;

use crate::protocol::frames::event::Data;
use crate::runtime::flush_list::Flush;
use crate::session::Session;
use crate::session::output::level::OutputLevel;
use crate::session::traffic::Traffic;
use crate::types::error::Error;
use crate::types::limit::Limit;
use crate::types::socket_state::SocketState;

/// Receives the events of one connection from its driver.
///
/// A method that panics closes the connection with 1011 and leaves everything else alone.
pub(crate) trait Observer: 'static {
    /// The handle with which the driver keeps the observer alive.
    type Handle: Deref<Target = Arc<Self>> + Unpin + 'static;
    /// What it keeps from one short message to the next.
    ///
    /// Dropped before anything else of the connection is reported.
    type Kept: Default;

    fn session(&self) -> &Session;
    /// Returns the counters of its server; `None` for a client.
    fn traffic(&self) -> Option<&Traffic>;
    /// Returns whether [`frame_received`](Self::frame_received) is to be called.
    fn wants_frames(&self) -> bool;
    /// Returns whether [`bytes_written`](Self::bytes_written) is to be called.
    fn wants_bytes_written(&self) -> bool;
    /// A frame that is not the last one of its message.
    fn frame_received(&self, frame: Data<'_>);
    /// A message; its last frame begins at `last_frame`.
    fn message_received(
        this: &Self::Handle,
        message: Data<'_>,
        last_frame: usize,
        kept: &mut Self::Kept,
    );
    fn pong_received(&self, payload: &[u8]);
    fn bytes_written(&self, count: usize);
    /// Called only after [`Session::watch_output`].
    fn output_level_changed(&self, level: OutputLevel);
    /// Reading is held back by a limit: called once for each limit.
    fn limit_reached(&self, limit: Limit);
    fn closing(&self);
    fn state_changed(&self, state: SocketState);
    fn failed(&self, error: Error);
    /// The last call: the connection has ended.
    fn ended(this: &Arc<Self>);
}

impl<O: Observer> Flush for O {
    fn flush(&self) {
        self.session().flush_listed(self.wants_bytes_written(), || self.traffic());
    }

    fn leave_to_task(&self) {
        self.session().wake_driver();
    }
}
