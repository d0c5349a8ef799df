//! Turns received bytes into messages and control frames (RFC 6455 §5 and §6.2).

use crate::protocol::assembly::Assembly;
use crate::protocol::buffer_pool::BufferPool;
use crate::protocol::control_frame::{self, ControlFrame};
use crate::protocol::event::Event;
use crate::protocol::frame_header::{FirstByte, FrameHeader, LONGEST_HEADER, SecondByte};
use crate::protocol::limits::Limits;
use crate::protocol::mask::{MaskingKey, advanced, apply_mask};
use crate::protocol::opcode::{MessageKind, Opcode};
use crate::protocol::role::Role;
use crate::protocol::short_bytes::ShortBytes;
use crate::protocol::unread::Unread;
use crate::protocol::utf8;
use crate::protocol::violation::Violation;

/// Decodes what one peer sends.
///
/// Between messages it is a few words and owns no memory; a message or a control frame that lies
/// whole in the input needs none either.
#[derive(Debug)]
pub(crate) struct Decoder {
    role: Role,
    limits: Limits,
    stage: Stage,
    /// The first bytes of a header whose other bytes have not come yet.
    header: ShortBytes<LONGEST_HEADER>,
    /// How many frames the unfinished message has so far; zero without one.
    fragments: usize,
    /// The data frame in [`Stage::Message`].
    frame: UnfinishedFrame,
    /// The unfinished message, or the last one until it is recycled.
    message: Assembly,
    /// The unfinished control frame, or the last one until it is recycled.
    control: Option<Box<ControlFrame>>,
}

/// What the decoder made of the input.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    /// How many bytes of the input are done with.
    pub(crate) consumed: usize,
    /// What they completed; `None` when the whole input was consumed without completing anything.
    pub(crate) event: Option<Event<'a>>,
}

impl Decoder {
    /// Makes a decoder for the bytes that follow the opening handshake.
    pub(crate) fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            stage: Stage::Header,
            header: ShortBytes::new(),
            fragments: 0,
            frame: UnfinishedFrame::default(),
            message: Assembly::default(),
            control: None,
        }
    }

    /// Sets the limits from the next frame on.
    #[cfg_attr(not(test), expect(dead_code, reason = "the limits have no setters yet"))]
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Consumes bytes from the front of `input` until an event is complete or all are consumed.
    ///
    /// Call it again with the rest of the input. The payload bytes are unmasked where they lie.
    /// After a close frame or a violation all input is consumed and ignored (RFC 6455 §5.5.1).
    ///
    /// # Errors
    ///
    /// When the peer broke a rule. The connection is then to be failed (RFC 6455 §7.1.7).
    pub(crate) fn decode<'a>(
        &'a mut self,
        input: &'a mut [u8],
        pool: &mut BufferPool,
    ) -> Result<Decoded<'a>, Violation> {
        let length = input.len();
        let mut unread = Unread::new(input);
        let step = self.step(&mut unread, pool).inspect_err(|_| self.stage = Stage::Ended)?;

        let event = match step {
            Step::NeedsInput => None,
            Step::Lent(event) => Some(event),
            Step::Assembled => Some(self.message.event()),
            Step::ControlFrame => self.control.as_deref().map(ControlFrame::event).transpose()?,
        };
        Ok(Decoded { consumed: length - unread.len(), event })
    }

    /// Gives back the memory of what was last lent; to be called before the connection idles.
    ///
    /// An unfinished message keeps its buffer, which fits the bytes that came.
    pub(crate) fn recycle(&mut self, pool: &mut BufferPool) {
        if self.fragments == 0 || self.has_ended() {
            self.message.release(pool);
        }
        if self.stage != Stage::ControlFrame {
            self.control = None;
        }
    }

    /// Returns whether the peer's close frame or a violation has ended the input.
    pub(crate) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Returns whether the input so far ends inside a message or a frame.
    #[cfg(test)]
    pub(crate) fn is_unfinished(&self) -> bool {
        self.fragments > 0 || self.stage == Stage::ControlFrame || !self.header.is_empty()
    }

    /// Returns how many bytes of heap memory the decoder holds.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        let control = self.control.as_deref().map_or(0, size_of_val);
        self.message.capacity() + control
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
                    self.begin_frame(&header, pool);
                }
                Stage::Message => {
                    if !self.read_payload(unread, pool)? {
                        return Ok(Step::NeedsInput);
                    }
                    self.stage = Stage::Header;
                    if self.frame.is_final {
                        self.message.finish()?;
                        self.fragments = 0;
                        return Ok(Step::Assembled);
                    }
                }
                Stage::ControlFrame => return Ok(self.read_control_frame(unread)),
                Stage::Ended => {
                    unread.take_all();
                    return Ok(Step::NeedsInput);
                }
            }
        }
    }

    /// Consumes a header, or all there is of it.
    #[inline]
    fn read_header(&mut self, unread: &mut Unread<'_>) -> Result<Option<FrameHeader>, Violation> {
        let earlier = self.header.len();
        let bytes = if earlier == 0 {
            unread.as_bytes()
        } else {
            self.header.extend(unread.as_bytes());
            self.header.as_bytes()
        };

        let header = self.parse_header(bytes)?;
        if let Some(header) = &header {
            unread.take(header.length.saturating_sub(earlier));
            self.header.clear();
        } else {
            let bytes = unread.take_all();
            if earlier == 0 {
                self.header.extend(bytes);
            }
        }
        Ok(header)
    }

    /// Reads the header at the start of `bytes` and checks as much of it as is there.
    #[inline]
    fn parse_header(&self, bytes: &[u8]) -> Result<Option<FrameHeader>, Violation> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let FirstByte { opcode, is_final } = FirstByte::parse(first)?;
        self.check_sequence(opcode)?;

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let second = SecondByte::parse(second, opcode)?;
        self.role.check_masking(second.is_masked())?;

        let Some((payload_length, length)) = second.payload_length(bytes)? else {
            return Ok(None);
        };
        let payload_length = usize::try_from(payload_length).unwrap_or(usize::MAX);
        if !opcode.is_control() {
            let received = if self.fragments > 0 { self.message.received() } else { 0 };
            self.limits.check_size(received, payload_length)?;
        }

        let (masking_key, length) = if second.is_masked() {
            let key = bytes.get(length..).and_then(|key| key.first_chunk());
            let Some(&key) = key else { return Ok(None) };
            (key, length + key.len())
        } else {
            (MaskingKey::default(), length)
        };
        Ok(Some(FrameHeader { opcode, is_final, masking_key, payload_length, length }))
    }

    /// Refuses a frame that must not follow the frames before it.
    fn check_sequence(&self, opcode: Opcode) -> Result<(), Violation> {
        // RFC 6455 §5.4: a fragmented message is one text or binary frame and continuations;
        // only control frames may come between them.
        match opcode {
            Opcode::Continuation if self.fragments == 0 => Err(Violation::NOTHING_TO_CONTINUE),
            Opcode::Text | Opcode::Binary if self.fragments > 0 => {
                Err(Violation::UNFINISHED_MESSAGE)
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                self.limits.check_fragments(self.fragments)
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => Ok(()),
        }
    }

    /// Consumes the payload if it is there and the frame is an event by itself.
    #[inline]
    fn lend_frame<'i>(
        &mut self,
        header: &FrameHeader,
        unread: &mut Unread<'i>,
    ) -> Result<Option<Event<'i>>, Violation> {
        if !header.is_final
            || header.opcode == Opcode::Continuation
            || header.payload_length > unread.len()
        {
            return Ok(None);
        }

        let payload = unread.take(header.payload_length);
        apply_mask(payload, header.masking_key);
        let payload: &[u8] = payload;
        let event = match header.opcode {
            Opcode::Text => Event::Text(utf8::text(payload)?),
            Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
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
        let &FrameHeader { opcode, is_final, masking_key, payload_length: missing, .. } = header;
        match opcode {
            Opcode::Text => self.message.begin(MessageKind::Text, pool),
            Opcode::Binary => self.message.begin(MessageKind::Binary, pool),
            Opcode::Continuation => {}
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                self.control = Some(Box::new(ControlFrame::new(header)));
                self.stage = Stage::ControlFrame;
                return;
            }
        }
        self.fragments += 1;
        self.frame = UnfinishedFrame { is_final, masking_key, missing };
        self.stage = Stage::Message;
    }

    /// Consumes payload for the message and returns whether the frame is complete.
    fn read_payload(
        &mut self,
        unread: &mut Unread<'_>,
        pool: &mut BufferPool,
    ) -> Result<bool, Violation> {
        let frame = &mut self.frame;
        let most = if frame.is_final {
            self.message.received() + frame.missing
        } else {
            self.limits.max_message_size
        };

        let piece = unread.take(frame.missing);
        apply_mask(piece, frame.masking_key);
        frame.masking_key = advanced(frame.masking_key, piece.len());
        frame.missing -= piece.len();
        self.message.append(piece, most, pool)?;
        Ok(frame.missing == 0)
    }

    /// Consumes payload for the control frame.
    fn read_control_frame<'i>(&mut self, unread: &mut Unread<'_>) -> Step<'i> {
        let Some(frame) = &mut self.control else { return Step::NeedsInput };
        let piece = unread.take(frame.missing());
        frame.append(piece);
        if frame.missing() > 0 {
            return Step::NeedsInput;
        }
        self.stage = if frame.opcode() == Opcode::Close { Stage::Ended } else { Stage::Header };
        Step::ControlFrame
    }
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Message,
    ControlFrame,
    Ended,
}

/// Where the next event lies.
enum Step<'i> {
    /// Nowhere; the input is used up.
    NeedsInput,
    /// In the input.
    Lent(Event<'i>),
    /// In `Decoder::message`.
    Assembled,
    /// In `Decoder::control`.
    ControlFrame,
}

/// A data frame of which some payload is missing.
#[derive(Debug, Default)]
struct UnfinishedFrame {
    is_final: bool,
    /// The key for the next byte.
    masking_key: MaskingKey,
    missing: usize,
}
