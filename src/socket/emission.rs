//! The emissions of a socket's signals: the reports of its session as signals.
//!
//! A new signal has a field in `state`, an accessor in `signals`, and a line in `finish` here.

use std::net::SocketAddr;
use std::sync::Arc;

use slotwork_signals::host::SlotCache;

use crate::net::stream::UNKNOWN_PEER;
use crate::protocol::frames::event::Data;
use crate::runtime::clock;
use crate::runtime::panics;
use crate::session::{KEEPALIVE_PAYLOAD, Observer, OutputLevel, Session, Traffic};
use crate::socket::client::reconnect;
use crate::socket::driven::DrivenSocket;
use crate::socket::open::begin_waiting;
use crate::socket::state::{
    BINARY_MESSAGE_RECEIVED, ClientSignals, DISCONNECTED, End, Inner, LazySignals,
    TEXT_MESSAGE_RECEIVED,
};
use crate::types::error::Error;
use crate::types::limit::{Limit, LimitReached};
use crate::types::message::{BinaryFrame, Pong, TextFrame};
use crate::types::socket_state::SocketState;

/// The slots of messages that follow each other.
///
/// Those of one kind at a time: they may disconnect those of the other.
#[derive(Default)]
pub(crate) struct MessageSlots {
    text: SlotCache<str>,
    binary: SlotCache<[u8]>,
}

/// Emits what the session's task reports.
impl Observer for Inner {
    type Handle = DrivenSocket;
    type Kept = MessageSlots;

    fn session(&self) -> &Session {
        &self.session
    }

    #[inline]
    fn traffic(&self) -> Option<&Traffic> {
        self.membership.traffic()
    }

    #[inline]
    fn wants_frames(&self) -> bool {
        self.lazy.get().is_some_and(|lazy| lazy.signals.wants_frames())
    }

    #[inline]
    fn wants_bytes_written(&self) -> bool {
        self.lazy.get().is_some_and(|lazy| lazy.signals.wants_bytes_written())
    }

    fn frame_received(&self, frame: Data<'_>) {
        self.emit_lazy(|signals| signals.emit_frame(frame, false));
    }

    #[expect(clippy::inline_always, reason = "a message takes 32 instructions more without it")]
    #[inline(always)]
    fn message_received(
        this: &DrivenSocket,
        message: Data<'_>,
        last_frame: usize,
        kept: &mut MessageSlots,
    ) {
        if let Some(lazy) = this.lazy.get() {
            lazy.signals.emit_last_frame(message, last_frame, kept);
        }
        let (signals, sender) = (&this.signals, this.handle());
        match message {
            Data::Text(text) => {
                kept.binary.clear();
                signals.emit_from(TEXT_MESSAGE_RECEIVED, text, sender, &mut kept.text);
            }
            Data::Binary(bytes) => {
                kept.text.clear();
                signals.emit_from(BINARY_MESSAGE_RECEIVED, bytes, sender, &mut kept.binary);
            }
        }
    }

    fn pong_received(&self, payload: &[u8]) {
        if payload == KEEPALIVE_PAYLOAD {
            return;
        }
        if let Some(lazy) = self.lazy.get() {
            let pinged = lazy.notes().pinged;
            let elapsed = pinged.map(clock::since);
            lazy.signals.pong.emit(&Pong { elapsed, payload: payload.into() });
        }
    }

    fn bytes_written(&self, count: usize) {
        self.emit_lazy(|signals| signals.bytes_written.emit(&count));
    }

    fn output_level_changed(&self, level: OutputLevel) {
        self.emit_lazy(|signals| match level {
            OutputLevel::High => signals.high_water_reached.emit(&()),
            OutputLevel::Drained => signals.output_drained.emit(&()),
        });
    }

    fn limit_reached(&self, limit: Limit) {
        let peer = self.peer().map(|peer| SocketAddr::new(peer.address, peer.port));
        let peer = peer.unwrap_or(UNKNOWN_PEER);
        let client = self.client_address();
        self.membership.report_limit(LimitReached { limit, peer, client });
    }

    fn closing(&self) {
        self.emit_lazy(|signals| signals.about_to_close.emit(&()));
    }

    fn state_changed(&self, state: SocketState) {
        self.emit_lazy(|signals| signals.state_changed.emit(&state));
    }

    fn failed(&self, error: Error) {
        if let (Error::KeepaliveTimeout, Some(traffic)) = (&error, self.traffic()) {
            Traffic::note(&traffic.keepalive_timeouts);
        }
        match self.client_end() {
            Some(end) => {
                self.lazy().notes().error = Some(error.clone());
                end.note_failure(&error);
            }
            // Kept where the end of the connection is: most sockets then have no lazy state.
            None => self.session.keep_error(error.clone()),
        }
        self.emit_lazy(|signals| signals.error_occurred.emit(&error));
    }

    fn ended(this: &Arc<Self>) {
        this.membership.leave();
        this.membership.release(this);
        this.end_memberships();
        match &this.end {
            End::Server(_) | End::Proxied(_) => {
                let _ending = Ending(Arc::clone(this));
                this.signals.emit(DISCONNECTED, &());
            }
            // A client keeps its slots: it can be opened again.
            End::Client(end) => {
                let plan = reconnect::plan(this, end);
                end.note_end();
                panics::catch("a slot of a socket", || this.signals.emit(DISCONNECTED, &()));
                begin_waiting(this, end);
                if let Some(plan) = plan {
                    reconnect::begin_delay(this, end, plan);
                }
            }
        }
    }
}

impl LazySignals {
    /// Drops all slots after their queued calls; keeps `owner` until then.
    fn finish(&self, owner: &Arc<Inner>) {
        self.connected.finish(owner);
        self.text_frame_received.finish(owner);
        self.binary_frame_received.finish(owner);
        self.pong.finish(owner);
        self.bytes_written.finish(owner);
        self.high_water_reached.finish(owner);
        self.output_drained.finish(owner);
        self.about_to_close.finish(owner);
        self.state_changed.finish(owner);
        self.error_occurred.finish(owner);
        if let Some(signals) = self.of_clients.get() {
            signals.finish(owner);
        }
    }

    /// Returns whether `bytes_written` has slots.
    fn wants_bytes_written(&self) -> bool {
        self.bytes_written.slot_count() > 0
    }

    /// Returns whether any slot receives single frames.
    fn wants_frames(&self) -> bool {
        self.text_frame_received.slot_count() + self.binary_frame_received.slot_count() > 0
    }

    /// Emits the last frame of a message, if frames have slots.
    ///
    /// These may disconnect those of messages.
    #[inline(never)]
    fn emit_last_frame(&self, message: Data<'_>, start: usize, kept: &mut MessageSlots) {
        if self.wants_frames() {
            *kept = MessageSlots::default();
            self.emit_frame(message.since(start), true);
        }
    }

    /// Emits a frame; without slots it is not copied.
    fn emit_frame(&self, frame: Data<'_>, is_last_frame: bool) {
        match frame {
            Data::Text(text) if self.text_frame_received.slot_count() > 0 => {
                self.text_frame_received.emit(&TextFrame { text: text.into(), is_last_frame });
            }
            Data::Binary(bytes) if self.binary_frame_received.slot_count() > 0 => {
                self.binary_frame_received
                    .emit(&BinaryFrame { bytes: bytes.into(), is_last_frame });
            }
            Data::Text(_) | Data::Binary(_) => {}
        }
    }
}

impl ClientSignals {
    /// Drops all slots, as those of the other signals.
    fn finish(&self, owner: &Arc<Inner>) {
        self.authentication_required.finish(owner);
        self.proxy_authentication_required.finish(owner);
        self.reconnecting.finish(owner);
        #[cfg(feature = "tls")]
        {
            self.tls_errors.finish(owner);
            self.peer_verify_error.finish(owner);
        }
    }
}

/// Drops the slots of a socket that has ended, also when one of them panics.
///
/// Queued calls keep the socket until they have run.
struct Ending(Arc<Inner>);

impl Drop for Ending {
    fn drop(&mut self) {
        let Self(inner) = self;
        inner.signals.finish(inner);
        inner.emit_lazy(|signals| signals.finish(inner));
    }
}
