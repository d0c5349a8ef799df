//! The signals of a socket that most programs leave alone.

use std::sync::Arc;

use slotwork_signals::Signal;

use crate::authenticator::Authenticator;
use crate::binary_frame::BinaryFrame;
use crate::error::Error;
use crate::pong::Pong;
use crate::protocol::event::Data;
use crate::socket::inner::Inner;
use crate::socket_state::SocketState;
use crate::text_frame::TextFrame;
#[cfg(feature = "tls")]
use crate::tls_error::TlsError;

/// Signals that are allocated together when one of them is asked for.
#[derive(Default)]
pub(super) struct RareSignals {
    pub(super) connected: Signal<()>,
    pub(super) authentication_required: Signal<Authenticator>,
    pub(super) proxy_authentication_required: Signal<Authenticator>,
    pub(super) text_frame_received: Signal<TextFrame>,
    pub(super) binary_frame_received: Signal<BinaryFrame>,
    pub(super) pong: Signal<Pong>,
    pub(super) bytes_written: Signal<usize>,
    pub(super) high_water_reached: Signal<()>,
    pub(super) output_drained: Signal<()>,
    pub(super) about_to_close: Signal<()>,
    pub(super) state_changed: Signal<SocketState>,
    pub(super) error_occurred: Signal<Error>,
    #[cfg(feature = "tls")]
    pub(super) tls_errors: Signal<[TlsError]>,
    #[cfg(feature = "tls")]
    pub(super) peer_verify_error: Signal<TlsError>,
}

impl RareSignals {
    /// Frees all slots, behind the calls that are queued; keeps `owner` until then.
    pub(super) fn finish(&self, owner: &Arc<Inner>) {
        self.connected.finish(owner);
        self.authentication_required.finish(owner);
        self.proxy_authentication_required.finish(owner);
        self.text_frame_received.finish(owner);
        self.binary_frame_received.finish(owner);
        self.pong.finish(owner);
        self.bytes_written.finish(owner);
        self.high_water_reached.finish(owner);
        self.output_drained.finish(owner);
        self.about_to_close.finish(owner);
        self.state_changed.finish(owner);
        self.error_occurred.finish(owner);
        #[cfg(feature = "tls")]
        {
            self.tls_errors.finish(owner);
            self.peer_verify_error.finish(owner);
        }
    }

    /// Returns whether somebody listens to single frames.
    pub(super) fn wants_frames(&self) -> bool {
        self.text_frame_received.slot_count() + self.binary_frame_received.slot_count() > 0
    }

    /// Emits a frame, which is copied only when somebody listens.
    pub(super) fn emit_frame(&self, frame: Data<'_>, is_last_frame: bool) {
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
