//! Turns received bytes into messages and control frames (RFC 6455 §5 and §6.2).
//!
//! `header_reading` reads the headers, `inflating` the messages that are compressed.

#[cfg(feature = "compression")]
use crate::protocol::deflate::window::Window;
use crate::protocol::frames::buffer_pool::BufferPool;
use crate::protocol::frames::bytes::Unread;
use crate::protocol::frames::control_frame::{self, ControlFrame};
use crate::protocol::frames::event::{Data, Event};
use crate::protocol::frames::frame_header::{FrameHeader, ReservedBits};
use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::mask::apply_mask;
use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::protocol::frames::short_message::ShortMessage;
use crate::protocol::frames::unfinished::Unfinished;
use crate::protocol::frames::utf8;
use crate::protocol::frames::violation::Violation;
use crate::types::role::Role;

/// Decodes what one peer sends.
///
/// Between messages it is three words and owns no memory; a message or a control frame that lies
/// whole in the input needs none either.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// What few connections have.
    pub(super) rare: Option<Box<Rare>>,
    /// The unfinished frame and message, or the last ones until they are recycled.
    pub(super) unfinished: Option<Box<Unfinished>>,
    pub(super) role: Role,
    stage: Stage,
    /// The reserved bits to which the extensions of the connection give a meaning.
    pub(super) claimed: ReservedBits,
    reports_frames: bool,
    pub(super) leaves_big_pieces: bool,
}

/// The result of decoding.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    /// The number of consumed bytes of the input.
    pub(crate) consumed: usize,
    /// The completed event; `None` when the whole input was consumed without one.
    pub(crate) event: Option<Event<'a>>,
}

impl Decoder {
    /// Makes a decoder for the bytes that follow the opening handshake.
    pub(crate) fn new(role: Role, limits: Limits) -> Self {
        let mut decoder = Self {
            rare: None,
            unfinished: None,
            role,
            stage: Stage::Header,
            claimed: ReservedBits::NONE,
            reports_frames: false,
            leaves_big_pieces: false,
        };
        decoder.set_limits(limits);
        decoder
    }

    /// Sets the limits from the next frame on.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        let are_set = limits != Limits::DEFAULT;
        if are_set || self.rare.is_some() {
            let rare = self.rare.get_or_insert_default();
            (rare.limits, rare.are_limits_set) = (limits, are_set);
        }
        self.rare.take_if(|rare| rare.is_empty());
    }

    /// Reports each frame of a fragmented message from now on, or no longer.
    pub(crate) fn report_frames(&mut self, reports_frames: bool) {
        self.reports_frames = reports_frames;
    }

    /// Consumes `input` as a session does: short messages in their own way.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn decode<'a>(
        &'a mut self,
        input: &'a mut [u8],
        pool: &mut BufferPool,
    ) -> Result<Decoded<'a>, Violation> {
        let may_lend = self.may_lend_short_messages();
        match self.find_short_message(input).filter(|_| may_lend) {
            Some(message) => self
                .lend_short_message(message, input)
                .map(|data| Decoded { consumed: message.end, event: Some(data.into()) }),
            None => self.decode_any(input, pool),
        }
    }

    /// Consumes `input` until an event is complete or all bytes are consumed.
    ///
    /// Call it again with the rest of the input; short messages need less, see
    /// [`find_short_message`](Self::find_short_message). The payload bytes are unmasked where they lie.
    /// After a close frame or a violation all input is consumed and ignored (RFC 6455 §5.5.1).
    ///
    /// # Errors
    ///
    /// When the peer broke a rule. The connection is then to be failed (RFC 6455 §7.1.7).
    pub(crate) fn decode_any<'a>(
        &'a mut self,
        input: &'a mut [u8],
        pool: &mut BufferPool,
    ) -> Result<Decoded<'a>, Violation> {
        let length = input.len();
        let mut unread = Unread::new(input);
        let step = self.step(&mut unread, pool).inspect_err(|_| self.stage = Stage::Ended)?;

        let unfinished = self.unfinished.as_deref();
        let event = match step {
            Step::NeedsInput => None,
            Step::Lent(event) => Some(event),
            Step::Frame => unfinished.map(|unfinished| {
                Event::Frame(unfinished.message.data().since(unfinished.frame_start()))
            }),
            Step::Assembled => unfinished.map(|unfinished| {
                let last_frame = unfinished.frame_start();
                Event::Message { message: unfinished.message.data(), last_frame }
            }),
            #[cfg(feature = "compression")]
            Step::Inflated => {
                let message = unfinished.map(Unfinished::inflated).transpose();
                message.inspect_err(|_| self.stage = Stage::Ended)?.map(Event::Inflated)
            }
            Step::ControlFrame => {
                let control = unfinished.and_then(|unfinished| unfinished.control.as_deref());
                control.map(ControlFrame::event).transpose()?
            }
        };
        Ok(Decoded { consumed: length - unread.len(), event })
    }

    /// Releases the memory of the last event; called before the connection idles.
    ///
    /// An unfinished message keeps its buffer, which fits the bytes that came.
    pub(crate) fn recycle(&mut self, pool: &mut BufferPool) {
        let Some(unfinished) = &mut self.unfinished else { return };
        let has_ended = self.stage == Stage::Ended;
        if unfinished.fragments == 0 || has_ended {
            unfinished.message.release(pool);
        }
        if self.stage != Stage::ControlFrame {
            unfinished.control = None;
        }
        if has_ended || self.is_between_messages() {
            self.unfinished = None;
        }
    }

    /// Returns whether the peer's close frame or a violation has ended the input.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Returns whether the next byte may begin a message or any other frame.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.stage == Stage::Header
            && self
                .unfinished
                .as_ref()
                .is_none_or(|unfinished| unfinished.fragments == 0 && unfinished.header.is_empty())
    }

    /// Returns whether the next byte is payload of a data frame.
    #[inline]
    pub(crate) fn is_in_payload(&self) -> bool {
        self.stage == Stage::Message
    }

    /// Returns how many bytes of heap memory the decoder holds.
    pub(crate) fn held_bytes(&self) -> usize {
        let Some(unfinished) = self.unfinished.as_deref() else { return 0 };
        let control = unfinished.control.as_deref().map_or(0, size_of_val);
        size_of_val(unfinished) + unfinished.message.capacity() + control
    }

    pub(super) fn limits(&self) -> &Limits {
        self.rare.as_deref().map_or(&Limits::DEFAULT, |rare| &rare.limits)
    }

    fn step<'i>(
        &mut self,
        unread: &mut Unread<'i>,
        pool: &mut BufferPool,
    ) -> Result<Step<'i>, Violation> {
        loop {
            match self.stage {
                Stage::Header => {
                    let Some(header) = self.read_header(unread)? else {
                        return Ok(Step::NeedsInput);
                    };
                    if let Some(event) = self.lend_frame(&header, unread)? {
                        return Ok(Step::Lent(event));
                    }
                    #[cfg(feature = "compression")]
                    if let Some(step) = self.inflate_frame(&header, unread, pool)? {
                        return Ok(step);
                    }
                    self.begin_frame(&header, pool);
                }
                Stage::Message => match self.read_payload(unread, pool)? {
                    Some(Step::Frame) if !self.reports_frames || self.is_in_compressed() => {}
                    Some(step) => return Ok(step),
                    None => return Ok(Step::NeedsInput),
                },
                Stage::ControlFrame => return Ok(self.read_control_frame(unread)),
                Stage::Ended => {
                    unread.take_all();
                    return Ok(Step::NeedsInput);
                }
            }
        }
    }

    /// Returns whether short messages may come next.
    ///
    /// They are consumed in their own way. The answer holds as long as nothing else is decoded.
    #[inline]
    pub(crate) fn may_lend_short_messages(&self) -> bool {
        let has_limits = || self.rare.as_deref().is_some_and(|rare| rare.are_limits_set);
        self.stage == Stage::Header && self.unfinished.is_none() && !has_limits()
    }

    /// Finds a short message, if they [may come next](Self::may_lend_short_messages).
    ///
    /// [`lend_short_message`](Self::lend_short_message) lends it. Anything else is left to
    /// [`decode_any`](Self::decode_any), which consumes short messages as well, but needs a pool.
    #[inline]
    pub(crate) fn find_short_message(&self, input: &[u8]) -> Option<ShortMessage> {
        ShortMessage::find(input, self.role)
    }

    /// Lends the short message that was found in this `input`.
    ///
    /// The next one begins at its end.
    ///
    /// # Errors
    ///
    /// When it is text that is not UTF-8, as [`decode_any`](Self::decode_any).
    #[inline]
    pub(crate) fn lend_short_message<'a>(
        &mut self,
        message: ShortMessage,
        input: &'a mut [u8],
    ) -> Result<Data<'a>, Violation> {
        let payload = message.unmask(input);
        match message.kind {
            MessageKind::Text => {
                utf8::text(payload).map(Data::Text).inspect_err(|_| self.stage = Stage::Ended)
            }
            MessageKind::Binary => Ok(Data::Binary(payload)),
        }
    }

    /// Consumes the payload if it is there and the frame is an event by itself.
    #[inline]
    fn lend_frame<'i>(
        &mut self,
        header: &FrameHeader,
        unread: &mut Unread<'i>,
    ) -> Result<Option<Event<'i>>, Violation> {
        // What an extension has changed is changed back while it is assembled.
        if !header.is_final
            || header.opcode == Opcode::Continuation
            || header.payload_length > unread.len()
            || !header.reserved.is_empty()
        {
            return Ok(None);
        }

        let payload = unread.take(header.payload_length);
        apply_mask(payload, header.masking_key);
        let payload: &[u8] = payload;
        let event = match header.opcode {
            Opcode::Text => Data::Text(utf8::text(payload)?).into(),
            Opcode::Binary | Opcode::Continuation => Data::Binary(payload).into(),
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                control_frame::event(header.opcode, payload)?
            }
        };
        if header.opcode == Opcode::Close {
            self.stage = Stage::Ended;
        }
        Ok(Some(event))
    }

    /// Prepares for a payload that is to be collected.
    fn begin_frame(&mut self, header: &FrameHeader, pool: &mut BufferPool) {
        let unfinished = self.unfinished.get_or_insert_default();
        match header.opcode {
            Opcode::Text if header.reserved.is_empty() => {
                unfinished.message.begin(MessageKind::Text, pool);
            }
            // A compressed message is text only once it is inflated.
            Opcode::Text | Opcode::Binary => unfinished.message.begin(MessageKind::Binary, pool),
            Opcode::Continuation => {}
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                unfinished.control = Some(Box::new(ControlFrame::new(header)));
                self.stage = Stage::ControlFrame;
                return;
            }
        }
        unfinished.begin_frame(header);
        self.stage = Stage::Message;
    }

    /// Consumes payload for the message; `None` when some of the frame is missing.
    fn read_payload<'i>(
        &mut self,
        unread: &mut Unread<'i>,
        pool: &mut BufferPool,
    ) -> Result<Option<Step<'i>>, Violation> {
        let is_compressed = self.is_in_compressed();
        let most = self.limits().max_assembled(is_compressed);
        let unfinished = self.unfinished.get_or_insert_default();
        if !unfinished.read_payload(unread, most, self.leaves_big_pieces, pool)? {
            return Ok(None);
        }
        self.stage = Stage::Header;
        if !unfinished.is_final() {
            return Ok(Some(Step::Frame));
        }
        unfinished.message.finish()?;
        unfinished.fragments = 0;
        #[cfg(feature = "compression")]
        if let Some((kind, data)) = unfinished.take_compressed() {
            let step = self.inflate(kind, &data, pool);
            pool.put(data);
            return step.map(Some);
        }
        Ok(Some(Step::Assembled))
    }

    /// Returns whether the message that is assembled is compressed.
    pub(super) fn is_in_compressed(&self) -> bool {
        self.unfinished.as_deref().is_some_and(Unfinished::is_compressed)
    }

    /// Consumes payload for the control frame.
    fn read_control_frame<'i>(&mut self, unread: &mut Unread<'_>) -> Step<'i> {
        let control = self.unfinished.as_mut().and_then(|unfinished| unfinished.control.as_mut());
        let Some(frame) = control else { return Step::NeedsInput };
        let piece = unread.take(frame.missing());
        frame.append(piece);
        if frame.missing() > 0 {
            return Step::NeedsInput;
        }
        self.stage = if frame.opcode() == Opcode::Close { Stage::Ended } else { Stage::Header };
        Step::ControlFrame
    }
}

/// What few connections have: limits of their own, or a history.
#[derive(Debug, Default)]
pub(super) struct Rare {
    limits: Limits,
    /// The limits are not the default ones.
    are_limits_set: bool,
    #[cfg(feature = "compression")]
    pub(super) history: Option<Window>,
}

impl Rare {
    fn is_empty(&self) -> bool {
        #[cfg(feature = "compression")]
        let has_history = self.history.is_some();
        #[cfg(not(feature = "compression"))]
        let has_history = false;
        !self.are_limits_set && !has_history
    }
}

/// The meaning of the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Message,
    ControlFrame,
    Ended,
}

/// Where the next event lies.
pub(super) enum Step<'i> {
    /// Nowhere; the input is used up.
    NeedsInput,
    /// In the input.
    Lent(Event<'i>),
    /// In the unfinished message, which goes on.
    Frame,
    /// In the message, which is complete.
    Assembled,
    /// In the message, which was compressed.
    #[cfg(feature = "compression")]
    Inflated,
    /// In the control frame.
    ControlFrame,
}
