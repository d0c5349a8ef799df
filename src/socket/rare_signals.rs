//! The signals of a socket that most programs leave alone.

use std::sync::Arc;

use slotwork_signals::Signal;

use crate::protocol::frames::event::Data;
use crate::socket::state::Inner;
use crate::types::authenticator::Authenticator;
use crate::types::binary_frame::BinaryFrame;
use crate::types::error::Error;
use crate::types::pong::Pong;
use crate::types::socket_state::SocketState;
use crate::types::text_frame::TextFrame;
#[cfg(feature = "tls")]
use crate::types::tls_error::TlsError;

/// Signals that are allocated together when one of them is asked for.
#[derive(Default)]
pub(crate) struct RareSignals {
    pub(crate) connected: Signal<()>,
    pub(crate) authentication_required: Signal<Authenticator>,
    pub(crate) proxy_authentication_required: Signal<Authenticator>,
    pub(crate) text_frame_received: Signal<TextFrame>,
    pub(crate) binary_frame_received: Signal<BinaryFrame>,
    pub(crate) pong: Signal<Pong>,
    pub(crate) bytes_written: Signal<usize>,
    pub(crate) high_water_reached: Signal<()>,
    pub(crate) output_drained: Signal<()>,
    pub(crate) about_to_close: Signal<()>,
    pub(crate) state_changed: Signal<SocketState>,
    pub(crate) error_occurred: Signal<Error>,
    #[cfg(feature = "tls")]
    pub(crate) tls_errors: Signal<[TlsError]>,
    #[cfg(feature = "tls")]
    pub(crate) peer_verify_error: Signal<TlsError>,
}

impl RareSignals {
    /// Frees all slots, behind the calls that are queued; keeps `owner` until then.
    pub(crate) fn finish(&self, owner: &Arc<Inner>) {
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
    pub(crate) fn wants_frames(&self) -> bool {
        self.text_frame_received.slot_count() + self.binary_frame_received.slot_count() > 0
    }

    /// Emits a frame, which is copied only when somebody listens.
    pub(crate) fn emit_frame(&self, frame: Data<'_>, is_last_frame: bool) {
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
