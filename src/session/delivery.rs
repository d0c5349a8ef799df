//! Delivery: decodes the input of a connection, and reports the messages.

use std::io;
use std::mem;

use crate::protocol::frames::copying::append_bytes;
use crate::protocol::frames::decoder::{Decoded, Decoder};
use crate::protocol::frames::event::{Data, Event};
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::violation::Violation;
use crate::runtime::panics;
use crate::session::buffers::{READ_BUFFER_SIZE, note_use, put_buffer, shared_pool, take_buffer};
use crate::session::closing::SLOT_PANICKED;
use crate::session::driver::{Driver, Input, MESSAGES_PER_TURN, Stage, Undelivered};
use crate::session::held_memory::{HeldMemory, MIN_COUNTED};
use crate::session::observer::Observer;
use crate::session::state::Phase;
use crate::session::turn::{Received, TurnStart};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;

impl<O: Observer> Driver<O> {
    /// Counts the input that is not delivered yet, if that is much.
    pub(super) fn count_input(&mut self) {
        let undelivered = self.undelivered.as_ref().map_or(0, |rest| rest.bytes.capacity());
        let size = self.decoder.held_bytes() + undelivered;
        if (size >= MIN_COUNTED || self.held.size() > 0)
            && !self.observer.session().hold_input(&mut self.held, size)
        {
            self.drop_input();
        }
    }

    /// Drops the input and closes the connection: the memory budget is exceeded.
    #[cold]
    pub(super) fn drop_input(&mut self) {
        let session = self.observer.session();
        self.decoder = Decoder::new(session.role(), Limits::default());
        (self.undelivered, self.held) = (None, HeldMemory::default());
        let limit = session.memory_budget();
        self.report(|observer| observer.failed(Error::MemoryBudget { limit }));
        self.refuse(CloseCode::TRY_AGAIN_LATER, "too much memory is in use");
    }

    /// Returns whether the turn is to begin with a read.
    pub(super) fn wants_input(&self) -> bool {
        !self.has_input_ended && self.undelivered.is_none() && !self.is_paused()
    }

    /// Delivers the input that was read, or what an earlier turn left over.
    #[expect(clippy::inline_always, reason = "for the usual turn; others have a function for it")]
    #[inline(always)]
    pub(super) fn read(&mut self, received: Option<Received>, is_readable: bool) -> Input {
        if let Some(Received { mut buffer, outcome }) = received {
            match outcome {
                Ok(0) => return Input::Ended,
                Ok(length) => {
                    let received = buffer.as_mut_slice().get_mut(..length).unwrap_or_default();
                    let consumed = self.deliver(received);
                    if consumed < received.len() {
                        self.keep(received.get(consumed..).unwrap_or_default());
                    }
                    self.decoder.adopt_left_piece(length, || buffer.into_memory());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Input::Failed(error),
            }
        } else if self.is_paused() {
            return self.check_end();
        } else if self.has_input_ended {
            return Input::Ended;
        } else if let Some(mut rest) = self.undelivered.take() {
            rest.start += self.deliver(rest.bytes.get_mut(rest.start..).unwrap_or_default());
            if rest.start < rest.bytes.len() {
                self.undelivered = Some(rest);
            } else {
                let length = rest.bytes.len();
                self.decoder.adopt_left_piece(length, || mem::take(&mut rest.bytes));
                put_buffer(rest.bytes);
            }
        }
        let has_more = self.undelivered.is_some() || is_readable;
        if has_more && !self.is_paused() { Input::More } else { Input::Waiting }
    }

    /// Reads as [`read`](Self::read) does, in a turn that is not the usual one.
    #[inline(never)]
    pub(super) fn read_unusually(
        &mut self,
        received: Option<Received>,
        is_readable: bool,
    ) -> Input {
        self.read(received, is_readable)
    }

    /// Detects the end of the connection while reading is paused.
    ///
    /// Input that was not delivered yet comes first.
    fn check_end(&self) -> Input {
        let has_ended = self.undelivered.is_none() && self.observer.session().has_ended_unread();
        if has_ended { Input::Ended } else { Input::Waiting }
    }

    /// Begins a turn within a big frame, with a read into the `room` of its message.
    #[cold]
    pub(super) fn begin_turn_in_payload(&mut self) -> Option<TurnStart> {
        let wants_input = self.wants_input();
        let room = self.decoder.payload_room(LEAST_ROOM, READ_BUFFER_SIZE)?;
        let (start, count) = self.observer.session().begin_direct_turn(wants_input, room);
        if start.phase == Phase::Closing {
            self.deadlines.get_or_insert_default().note_closing_input(count);
        }
        if count > 0 && self.delivers() {
            self.decoder.add_payload(count);
            self.count_received(0, 0, count);
        }
        Some(start)
    }

    /// Copies what the turn has left over out of the buffer that all connections share.
    #[inline(never)]
    fn keep(&mut self, rest: &[u8]) {
        let mut bytes = take_buffer(rest.len());
        append_bytes(&mut bytes, rest);
        self.undelivered = Undelivered::new(bytes, 0);
    }

    /// Delivers the messages in `received`, and returns how many bytes were consumed.
    ///
    /// These are [`MESSAGES_PER_TURN`] messages at the most, fewer if they were compressed and are
    /// big, or a rate does not allow more.
    fn deliver(&mut self, received: &mut [u8]) -> usize {
        self.decoder.report_frames(self.observer.wants_frames());
        let mut turn = Delivered::new(self.turn_limit);
        let is_ok = panics::catch("a slot of a socket", || {
            loop {
                self.deliver_short_messages(received, &mut turn);
                let rest = received.get_mut(turn.consumed..).unwrap_or_default();
                if rest.is_empty() || turn.left == 0 || !self.delivers_next() {
                    break;
                }
                self.deliver_any(rest, &mut turn);
            }
        });
        if !is_ok {
            self.note_panic();
            self.refuse(CloseCode::BAD_OPERATION, SLOT_PANICKED);
        }
        self.count_received(turn.messages, turn.control_frames, turn.consumed);
        if turn.has_used_pool {
            self.recycle();
        }
        // Once it is over, the rest is dropped.
        if self.delivers() { turn.consumed } else { received.len() }
    }

    /// Adds to the traffic, and to the rates if there are any.
    #[inline]
    fn count_received(&mut self, messages: usize, control_frames: usize, bytes: usize) {
        if let Some(traffic) = self.observer.traffic() {
            traffic.add_received(messages, bytes);
        }
        if self.turn_limit < MESSAGES_PER_TURN {
            self.charge_rates(messages + control_frames, bytes);
        }
    }

    /// Gives what the messages of a turn no longer need back to the pool.
    fn recycle(&mut self) {
        let pool = shared_pool();
        let mut pool = pool.borrow_mut();
        self.decoder.recycle(&mut pool);
        note_use(&mut pool);
    }

    /// Returns whether the next message is delivered now.
    fn delivers_next(&self) -> bool {
        self.delivers() && !self.is_paused()
    }

    /// Returns whether messages are delivered: a slot may have aborted.
    fn delivers(&self) -> bool {
        self.stage == Stage::Open && !self.observer.session().has_ended()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.observer.session().is_paused()
    }

    /// Delivers the short messages that come next in the input.
    #[inline]
    fn deliver_short_messages(&mut self, input: &mut [u8], turn: &mut Delivered) {
        if !self.decoder.may_lend_short_messages() {
            return;
        }
        let mut kept = O::Kept::default();
        while turn.left > 0 {
            let rest = input.get_mut(turn.consumed..).unwrap_or_default();
            let Some(message) = self.decoder.find_short_message(rest) else { break };
            if !self.delivers_next() {
                break;
            }
            match self.decoder.lend_short_message(message, rest) {
                Ok(data) => {
                    turn.left -= 1;
                    turn.messages += 1;
                    turn.consumed += message.end;
                    O::message_received(&self.observer, data, 0, &mut kept);
                }
                Err(violation) => self.refuse_violation(violation),
            }
        }
    }

    /// Delivers one message or control frame.
    #[inline(never)]
    fn deliver_any(&mut self, input: &mut [u8], turn: &mut Delivered) {
        let session = self.observer.session();
        turn.left -= 1;
        turn.has_used_pool = true;
        let decoded = self.decoder.decode_any(input, &mut shared_pool().borrow_mut());
        let Decoded { consumed, event } = match decoded {
            Ok(decoded) => decoded,
            Err(violation) => return self.refuse_violation(violation),
        };
        turn.consumed += consumed;
        match event {
            None => {}
            Some(Event::Message { message, last_frame }) => {
                turn.messages += 1;
                report_message::<O>(&self.observer, message, last_frame);
            }
            #[cfg(feature = "compression")]
            Some(Event::Inflated(message)) => {
                turn.left = turn.left.saturating_sub(message.len() / INFLATED_PER_MESSAGE);
                turn.messages += 1;
                report_message::<O>(&self.observer, message, 0);
            }
            Some(Event::Frame(frame)) => self.observer.frame_received(frame),
            Some(Event::Ping(payload)) => {
                turn.control_frames += 1;
                session.answer_ping(payload);
            }
            Some(Event::Pong(payload)) => {
                turn.control_frames += 1;
                session.note_pong(payload);
                self.observer.pong_received(payload);
            }
            Some(Event::Close { code, reason }) => {
                session.answer_close(code.unwrap_or(CloseCode::MISSING_STATUS_CODE), reason);
                self.stage = Stage::Over;
            }
        }
    }

    #[cold]
    fn refuse_violation(&mut self, violation: Violation) {
        self.refuse(violation.close_code(), violation.reason());
    }

    /// Closes the connection with this code: nothing more is delivered.
    fn refuse(&mut self, code: CloseCode, reason: &str) {
        self.observer.session().close(code, reason);
        self.stage = Stage::Over;
    }
}

/// Reports a message behind which anything else may happen.
#[inline(never)]
fn report_message<O: Observer>(observer: &O::Handle, message: Data<'_>, last_frame: usize) {
    O::message_received(observer, message, last_frame, &mut O::Kept::default());
}

/// What was delivered in a turn.
struct Delivered {
    /// How many messages may follow.
    left: usize,
    messages: usize,
    control_frames: usize,
    /// How many bytes were consumed.
    consumed: usize,
    /// Some input was no short message, and may hold memory of the pool.
    has_used_pool: bool,
}

impl Delivered {
    fn new(left: u8) -> Self {
        Self {
            left: left.into(),
            messages: 0,
            control_frames: 0,
            consumed: 0,
            has_used_pool: false,
        }
    }
}

/// The least that a turn reads into a message itself, in bytes.
///
/// To copy less costs less than another turn.
const LEAST_ROOM: usize = 64 * 1024;
/// Inflating that many bytes counts as a message: a turn ends after 1 MiB.
#[cfg(feature = "compression")]
const INFLATED_PER_MESSAGE: usize = 1024 * 1024 / MESSAGES_PER_TURN as usize;
