//! Back-pressure of input: pausing, and the limit of the queue for slots.
//!
//! Each queued call, and each async slot that runs, carries a guard that counts here. Over the
//! limit the socket reads no more, as with a message stream that is not read. Slots that are called
//! directly have no guard and cost nothing.

use std::any::Any;

use log::warn;
use slotwork_signals::{DeliveryGuard, Handle, SharedSender};

use crate::session::{SLOT_PANICKED, Settings, Traffic};
use crate::socket::WebSocket;
use crate::socket::state::ReceiveQueue;
use crate::types::close_code::CloseCode;
use crate::types::message::{BinaryFrame, Pong, TextFrame};

/// The progress of a call.
#[derive(Clone, Copy)]
enum Stage {
    Queued,
    /// Its slot runs, and does not count: it may wait for the socket in a nested loop.
    Running,
    Waiting,
}

/// The guard of one call of a slot; it keeps the socket alive.
struct Delivery {
    socket: WebSocket,
    size: usize,
    stage: Stage,
}

/// Reading.
impl WebSocket {
    /// Stops reading from the peer until [`resume_reading`](Self::resume_reading).
    ///
    /// No message is emitted after the one in a running slot. Input waits in the kernel, and then
    /// on the peer's side: TCP holds it back. A close frame is not noticed either, and the peer's
    /// end only when no input is left to read. The keepalive does not check the socket.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `setPauseMode()` is for TLS errors, and `setReadBufferSize()` makes
    /// longer messages fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::{EventLoop, WebSocket};
    ///
    /// /// Receives the next message when this one has been processed.
    /// fn one_at_a_time(socket: &WebSocket) {
    ///     socket.text_message_received().connect(|socket, text| {
    ///         let (socket, job) = (socket.clone(), text.to_owned());
    ///         socket.pause_reading();
    ///         let work = async move {
    ///             let answer = smol::unblock(move || job.to_uppercase()).await;
    ///             socket.send_text_message(answer);
    ///             socket.resume_reading();
    ///         };
    ///         EventLoop::current().spawn(work).detach();
    ///     });
    /// }
    /// ```
    #[doc(alias = "setPauseMode")]
    #[doc(alias = "setReadBufferSize")]
    pub fn pause_reading(&self) {
        self.inner.session.pause_reading(true);
    }

    /// Reads from the peer again, from the loop's next turn on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use slotwork::{Timer, WebSocket};
    ///
    /// /// Takes ten messages a second.
    /// fn slow_down(socket: &WebSocket) {
    ///     socket.text_message_received().connect(|socket, _text| {
    ///         socket.pause_reading();
    ///         let delay = Duration::from_millis(100);
    ///         Timer::single_shot_to(delay, socket, WebSocket::resume_reading);
    ///     });
    /// }
    /// ```
    #[doc(alias = "resume")]
    pub fn resume_reading(&self) {
        self.inner.session.pause_reading(false);
    }

    /// Returns whether reading is paused by [`pause_reading`](Self::pause_reading).
    #[doc(alias = "pauseMode")]
    #[doc(alias = "readBufferSize")]
    #[must_use]
    pub fn is_reading_paused(&self) -> bool {
        self.inner.session.is_paused_by_program()
    }

    /// Sets the limit of the queue for slots, in bytes; the default is 128 KiB.
    ///
    /// Calls of slots in other threads, of `queued()` and of `connect_async` wait in queues;
    /// slots that are called directly have none. Over the limit the socket reads no more until half
    /// of it is left: TCP holds the peer back, and other sockets are served meanwhile. Each call
    /// counts with the size of its message and 4 KiB more, until its slot begins to run: by default
    /// at most 32 short ones wait. With 0, one message at a time is queued; `usize::MAX` is no
    /// limit.
    ///
    /// A slot that has begun may wait for the socket, in a loop of its own or as an async slot.
    /// Async slots that wait for something, and have not finished, have a limit of their own:
    /// sixteen times this one and
    /// [`max_allowed_incoming_message_size`](Self::max_allowed_incoming_message_size). Over it the
    /// socket reads no more either, and a warning is logged: if all of them wait for the peer's
    /// next message, it is not received. [`message_stream`](Self::message_stream) is for programs
    /// that await one message after another.
    ///
    /// While the socket reads no more, pings and the close frame are not noticed either, and the
    /// peer's end only when no input is left to read, as with
    /// [`pause_reading`](Self::pause_reading).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: its queued calls have no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::WebSocket;
    ///
    /// /// For a slot in another thread that works long on each message.
    /// fn serve_slowly(socket: &WebSocket) {
    ///     socket.set_receive_queue_limit(16 * 1024);
    /// }
    /// ```
    pub fn set_receive_queue_limit(&self, bytes: usize) {
        self.inner.session.change_settings(|settings| settings.receive_queue_limit = bytes);
        if self.inner.lazy.get().is_some() {
            self.change_receive_queue(|_| {});
        }
    }

    /// Returns the limit of the queue for slots, in bytes.
    #[must_use]
    pub fn receive_queue_limit(&self) -> usize {
        self.inner.session.settings().receive_queue_limit
    }
}

impl WebSocket {
    /// Returns the sender that queued calls of the socket's slots hold.
    pub(crate) fn shared_sender(&self) -> SharedSender {
        let socket = self.downgrade();
        SharedSender::with_guard(move |value| {
            let guard: Box<dyn DeliveryGuard + Send> =
                Box::new(Delivery::new(socket.upgrade()?, value));
            Some(guard)
        })
    }

    /// Changes the queue; stops or resumes reading when it crosses a limit.
    fn change_receive_queue(&self, change: impl FnOnce(&mut ReceiveQueue)) {
        let session = &self.inner.session;
        let settings = session.settings();
        let queue = &self.inner.lazy().receive_queue;
        let mut queue = queue.lock();
        change(&mut queue);
        let is_over = queue.is_over(&settings, 1);
        let (begins, ends) = (!queue.holds && is_over, queue.holds && !queue.is_over(&settings, 2));
        queue.holds = begins || (queue.holds && !ends);
        if begins {
            // While it is locked, so that reading is not resumed before.
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
        if let Some(traffic) = self.socket.inner.membership.traffic() {
            Traffic::note(&traffic.slot_panics);
        }
        self.socket.close(CloseCode::BAD_OPERATION, SLOT_PANICKED);
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

    /// Returns whether the queue exceeds its limits divided by `divisor`.
    fn is_over(&self, settings: &Settings, divisor: usize) -> bool {
        let limit = settings.receive_queue_limit;
        // An async slot may wait for the socket's next message, however long its own one is.
        let waiting = limit.saturating_mul(ASYNC_FACTOR);
        let waiting = waiting.saturating_add(settings.limits.max_message_size);
        self.queued > limit / divisor || self.waiting > waiting / divisor
    }
}

/// Returns the size of a signal's value, in bytes.
fn length_of(value: &dyn Any) -> usize {
    let text = || value.downcast_ref::<String>().map(String::len);
    let bytes = || value.downcast_ref::<Vec<u8>>().map(Vec::len);
    let text_frame = || value.downcast_ref::<TextFrame>().map(|frame| frame.text.len());
    let binary_frame = || value.downcast_ref::<BinaryFrame>().map(|frame| frame.bytes.len());
    let pong = || value.downcast_ref::<Pong>().map(|pong| pong.payload.len());
    text().or_else(bytes).or_else(text_frame).or_else(binary_frame).or_else(pong).unwrap_or(0)
}

/// Counted for each call beside its message: memory of an async slot, and time.
const OVERHEAD: usize = 4 * 1024;
/// The limit of async slots that wait, in limits of queued calls.
const ASYNC_FACTOR: usize = 16;
