//! Bounds what waits for queued slots, slots of other threads and async slots of a socket.
//!
//! Each call that is queued, and each async slot that runs, carries a guard which counts here. With
//! too much of them the socket reads no more, as with a message stream that is not read. Slots that
//! are called at once have no guard and cost nothing.

use std::any::Any;
use std::sync::PoisonError;

use log::warn;
use slotwork_signals::{DeliveryGuard, Handle, SharedSender};

use crate::session::Settings;
use crate::socket::WebSocket;
use crate::socket::state::ReceiveQueue;
use crate::types::binary_frame::BinaryFrame;
use crate::types::close_code::CloseCode;
use crate::types::pong::Pong;
use crate::types::text_frame::TextFrame;

/// Where a call stands.
#[derive(Clone, Copy)]
enum Stage {
    Queued,
    /// Its slot runs: it may wait for the socket in a loop of its own, and does not count.
    Running,
    Waiting,
}

/// One call of a slot, which keeps its socket alive.
struct Delivery {
    socket: WebSocket,
    size: usize,
    stage: Stage,
}

impl WebSocket {
    /// Returns the socket as the queued calls of its slots hold it.
    pub(crate) fn shared_sender(&self) -> SharedSender {
        let socket = self.downgrade();
        SharedSender::with_guard(move |value| {
            let guard: Box<dyn DeliveryGuard + Send> =
                Box::new(Delivery::new(socket.upgrade()?, value));
            Some(guard)
        })
    }

    /// Holds the peer back, or lets it go on, as a new limit wants it.
    pub(crate) fn look_at_receive_queue(&self) {
        if self.inner.lazy.get().is_some() {
            self.change_receive_queue(|_| {});
        }
    }

    /// Changes what waits; holds the socket back, or lets it go on, if that makes the difference.
    fn change_receive_queue(&self, change: impl FnOnce(&mut ReceiveQueue)) {
        let session = &self.inner.session;
        let settings = session.settings();
        let queue = &self.inner.lazy().receive_queue;
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut queue);
        let is_over = queue.is_over(&settings, 1);
        let (begins, ends) = (!queue.holds && is_over, queue.holds && !queue.is_over(&settings, 2));
        queue.holds = queue.holds != (begins || ends);
        if begins {
            // While it is locked, so that nobody lets it go on before.
            session.hold_reading();
        }
        let is_for_async_slots = begins && queue.queued <= settings.receive_queue_limit;
        drop(queue);
        if ends {
            session.release_reading();
        }
        if is_for_async_slots {
            warn!("{self:?} reads no more: too many of its async slots wait for something");
        }
    }
}

impl Delivery {
    fn new(socket: WebSocket, value: &dyn Any) -> Self {
        let size = length_of(value).saturating_add(OVERHEAD);
        let mut delivery = Self { socket, size, stage: Stage::Running };
        delivery.move_to(Stage::Queued);
        delivery
    }

    fn move_to(&mut self, stage: Stage) {
        let Self { socket, size, .. } = self;
        let before = std::mem::replace(&mut self.stage, stage);
        socket.change_receive_queue(|queue| {
            if let Some(sum) = queue.sum(before) {
                *sum = sum.saturating_sub(*size);
            }
            if let Some(sum) = queue.sum(stage) {
                *sum = sum.saturating_add(*size);
            }
        });
    }
}

impl DeliveryGuard for Delivery {
    fn begin(&mut self) {
        self.move_to(Stage::Running);
    }

    fn suspend(&mut self) {
        self.move_to(Stage::Waiting);
    }

    fn panicked(&mut self) {
        self.socket.close(CloseCode::BAD_OPERATION, "a slot panicked");
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Running) {
            self.move_to(Stage::Running);
        }
    }
}

impl ReceiveQueue {
    fn sum(&mut self, stage: Stage) -> Option<&mut usize> {
        match stage {
            Stage::Queued => Some(&mut self.queued),
            Stage::Waiting => Some(&mut self.waiting),
            Stage::Running => None,
        }
    }

    /// Returns whether more waits than the limit, or than a fraction of it.
    fn is_over(&self, settings: &Settings, fraction: usize) -> bool {
        let limit = settings.receive_queue_limit;
        // An async slot may wait for what its own socket receives next, however long its message is.
        let waiting = limit.saturating_mul(ASYNC_FACTOR);
        let waiting = waiting.saturating_add(settings.limits.max_message_size);
        self.queued > limit / fraction || self.waiting > waiting / fraction
    }
}

/// Returns the length of what a peer has sent, in bytes.
fn length_of(value: &dyn Any) -> usize {
    let text = || value.downcast_ref::<String>().map(String::len);
    let bytes = || value.downcast_ref::<Vec<u8>>().map(Vec::len);
    let text_frame = || value.downcast_ref::<TextFrame>().map(|frame| frame.text.len());
    let binary_frame = || value.downcast_ref::<BinaryFrame>().map(|frame| frame.bytes.len());
    let pong = || value.downcast_ref::<Pong>().map(|pong| pong.payload.len());
    text().or_else(bytes).or_else(text_frame).or_else(binary_frame).or_else(pong).unwrap_or(0)
}

/// What a call counts beside its message: what it takes, with an async slot of usual size, and time.
const OVERHEAD: usize = 4 * 1024;
/// How much more than queued calls may wait in async slots.
const ASYNC_FACTOR: usize = 16;
