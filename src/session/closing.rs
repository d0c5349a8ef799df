//! Closing: the closing handshake, `abort`, failures, and the loss of output.

use std::sync::atomic::Ordering;

use crate::net::stream::Stream;
use crate::protocol::frames::close_frame::ClosePayload;
use crate::protocol::frames::frame::Frame;
use crate::session::output::writing::LOW_UNSENT_LIMIT;
use crate::session::state::{Failure, Kept, Phase, State};
use crate::session::traffic::Traffic;
use crate::session::{Session, wake_all};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::output::SendStatus;

impl Session {
    /// Begins the closing handshake; does nothing when it has begun already.
    pub(crate) fn close(&self, code: CloseCode, reason: &str) -> SendStatus {
        let mut state = self.lock_to_push(State::control_frames);
        if state.phase != Phase::Open {
            return SendStatus::NotConnected;
        }
        state.begin_closing(code, reason);
        state.wake();
        SendStatus::Queued
    }

    /// Ends the connection without a closing handshake.
    ///
    /// When one is under way already, the kernel first gets as much of the output as it takes.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        let is_closing = state.phase == Phase::Closing;
        if is_closing {
            let written = state.write_rest();
            state.report_later(written);
        }
        drop(state);
        self.fail(Failure::Aborted { is_closing });
    }

    /// Returns the error with which messages were dropped at the end, if any were.
    pub(crate) fn outcome(&self) -> Result<(), Error> {
        self.lock().loss().map_or(Ok(()), Err)
    }

    /// Returns the close code, once one is known.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        self.lock().close().map(|(code, _)| code)
    }

    /// Returns the close reason; empty while none is known.
    pub(crate) fn close_reason(&self) -> String {
        self.lock().close().map(|(_, reason)| String::from(reason)).unwrap_or_default()
    }

    /// Answers the peer's close frame, unless it is an answer (RFC 6455 §5.5.1).
    pub(super) fn answer_close(&self, code: CloseCode, reason: &str) {
        let mut state = self.lock_to_push(State::control_frames);
        if state.phase == Phase::Open {
            state.begin_closing(code, reason);
        }
    }

    /// Ends the sending direction behind our close frame; returns whether it is done.
    pub(super) fn shutdown_write(&self) -> bool {
        self.lock().shutdown_write()
    }

    /// Ends the connection in the driver's next turn, and drops the output now.
    pub(super) fn fail(&self, failure: Failure) {
        let mut state = self.lock();
        if state.phase != Phase::Ended {
            state.phase = Phase::Ended;
            state.extra().failure = Some(failure);
            state.clear_output();
            #[cfg(feature = "compression")]
            state.end_compression();
            self.has_ended.store(true, Ordering::Release);
            state.wake();
            wake_all(state);
        }
    }

    /// Ends the connection; [`take_ended`](Self::take_ended) returns its stream.
    ///
    /// Without a closing handshake the code is 1006. When it `lingers`, the kernel gets as much as it
    /// takes of the rest of a closing handshake.
    pub(super) fn end(
        &self,
        is_clean: bool,
        failure: Option<&Failure>,
        lingers: bool,
        traffic: Option<&Traffic>,
    ) {
        let mut state = self.lock();
        let rest = if lingers && state.phase == Phase::Closing { state.write_rest() } else { 0 };
        let written = rest + state.take_unreported();
        state.count_sent(written, traffic);
        state.phase = Phase::Ended;
        state.clear_output();
        #[cfg(feature = "compression")]
        state.end_compression();
        if let (Some(Failure::Error(error)), Some(loss)) = (failure, &mut state.extra().loss) {
            **loss = error.clone();
        }
        if !is_clean || state.close().is_none() {
            // RFC 6455 §7.1.5: no close frame of the peer was received.
            state.extra().close = Some((CloseCode::ABNORMAL_DISCONNECTION, "".into()));
        }
        state.extra().ended_stream = state.stream.take();
        self.has_ended.store(true, Ordering::Release);
        wake_all(state);
    }

    /// Returns the stream of the connection that has ended.
    ///
    /// Its address, or the peer's credentials, is kept if the socket `has_handles`, which may ask for it:
    /// that is a call of the system, and few do.
    pub(super) fn take_ended(&self, has_handles: bool) -> Option<Stream> {
        let mut state = self.lock();
        let extra = state.extra.as_mut()?;
        let stream = extra.ended_stream.take()?;
        if has_handles {
            extra.kept = Kept::of(&stream);
        }
        Some(stream)
    }

    /// Keeps the error with which the connection has ended.
    pub(crate) fn keep_error(&self, error: Error) {
        self.lock().extra().failure = Some(Failure::Error(error));
    }

    /// Returns the error with which the connection has ended, if it was kept.
    pub(crate) fn kept_error(&self) -> Option<Error> {
        let state = self.lock();
        // Before the end of the stream it has not been reported yet.
        match &state.extra.as_ref().filter(|_| state.stream.is_none())?.failure {
            Some(Failure::Error(error)) => Some(error.clone()),
            Some(Failure::Aborted { .. }) | None => None,
        }
    }

    /// Returns whether the connection has ended or failed, and all input was read.
    pub(super) fn has_ended_unread(&self) -> bool {
        self.lock().stream.as_ref().is_some_and(Stream::has_ended_unread)
    }

    /// Returns whether messages are lost when the connection ends now.
    pub(super) fn loses_messages(&self) -> bool {
        self.lock().loses_messages()
    }
}

impl State {
    /// Ends the sending direction behind all output; returns whether it is done.
    pub(super) fn shutdown_write(&mut self) -> bool {
        // It fails only when the connection has ended already.
        self.stream.as_mut().is_none_or(|stream| stream.shutdown_write().unwrap_or(true))
    }

    /// Drops all output that waits, and notes the loss if there were messages in it.
    pub(super) fn clear_output(&mut self) {
        if self.loses_messages() {
            self.extra().loss.get_or_insert_with(|| Box::new(Error::NotConnected));
        }
        self.queue.clear();
        if let Some(extra) = self.extra.as_mut() {
            extra.backlog = None;
        }
    }

    fn begin_closing(&mut self, code: CloseCode, reason: &str) {
        self.phase = Phase::Closing;
        let payload = ClosePayload::new(code, reason);
        self.extra().close = Some((code, payload.reason().into()));
        self.release_all();
        if let Some(stream) = &self.stream
            && self.unconfirmed.bytes().saturating_add(self.output_len()) > LOW_UNSENT_LIMIT
        {
            // The close frame then reaches the kernel shortly before it leaves for the peer.
            stream.set_unsent_limit(Some(LOW_UNSENT_LIMIT));
        }
        self.push(&Frame::close(&payload));
    }

    /// Returns whether a message was dropped, or would be if the connection ended now.
    fn loses_messages(&self) -> bool {
        let is_known = self.extra.as_ref().is_some_and(|extra| extra.loss.is_some());
        is_known || self.queue.has_messages() || self.backlog_len() > 0
    }
}

/// The reason of a close frame after the panic of a slot, with 1011.
pub(crate) const SLOT_PANICKED: &str = "a slot panicked";
