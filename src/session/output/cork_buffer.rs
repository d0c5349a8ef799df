//! The cork buffer of a thread: what a connection sends in its own turn.
//!
//! Most messages are sent by the slots of their connection, on its thread, in the turn that calls
//! them. They are encoded into one buffer, which the thread has to itself: they need no lock, and
//! stay in the processor's cache. At the turn's end the kernel takes them from here; everything else
//! that a connection does with its output first moves them in front of its queue.

use std::cell::{Cell, RefCell, RefMut};
use std::num::NonZero;
use std::ptr::NonNull;

use crate::protocol::frames::copying::append_bytes;
use crate::protocol::frames::frame::Frame;

/// The identity of a connection: its address, valid for the duration of a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(NonZero<usize>);

impl Owner {
    pub(crate) fn of<T>(connection: &T) -> Self {
        Self(NonNull::from(connection).addr())
    }
}

/// Lends the buffer of this thread to a connection; false if another one has it.
#[inline]
pub(crate) fn lend(owner: Owner) -> bool {
    let is_free = OWNER.get().is_none();
    if is_free {
        OWNER.set(Some(owner));
    }
    is_free
}

/// Puts a message at the end, if the connection has the buffer and there is room.
#[inline]
pub(crate) fn push(owner: Owner, frame: &Frame<'_>, is_allowed: impl FnOnce() -> bool) -> bool {
    append(owner, frame.payload.len(), is_allowed, |frames| frame.write_to(frames, None))
}

/// Puts an encoded message at the end, as [`push`] does.
#[inline]
pub(crate) fn push_encoded(
    owner: Owner,
    message: &[u8],
    is_allowed: impl FnOnce() -> bool,
) -> bool {
    append(owner, message.len(), is_allowed, |frames| append_bytes(frames, message))
}

/// Returns whether a connection has the buffer of this thread.
#[inline]
pub(crate) fn is_lent_to(owner: Owner) -> bool {
    OWNER.get() == Some(owner)
}

/// Takes the buffer back, and passes its frames to `take`, with their number.
///
/// Returns `None` when nothing can be in it: at the thread's end, and while its frames are taken.
#[inline]
pub(crate) fn take_back<T>(take: impl FnOnce(&[u8], u16) -> T) -> Option<T> {
    OWNER.set(None);
    let take_back = |kept: &RefCell<Vec<u8>>| {
        let frames = Cleared(kept.try_borrow_mut().ok()?);
        Some(take(&frames.0, MESSAGES.take()))
    };
    FRAMES.try_with(take_back).ok().flatten()
}

#[inline]
fn append(
    owner: Owner,
    needed: usize,
    is_allowed: impl FnOnce() -> bool,
    append: impl FnOnce(&mut Vec<u8>),
) -> bool {
    if !is_lent_to(owner) || !is_allowed() {
        return false;
    }
    let append = |kept: &RefCell<Vec<u8>>| {
        let Ok(mut frames) = kept.try_borrow_mut() else { return false };
        let has_room = frames.len() + needed <= ROOM;
        if has_room {
            append(&mut frames);
            MESSAGES.set(MESSAGES.get() + 1);
        }
        has_room
    };
    // At the thread's end the queue takes it.
    FRAMES.try_with(append).unwrap_or(false)
}

/// Frames that are taken, and then cleared.
///
/// Behind a panic as well: no other connection may send them.
struct Cleared<'a>(RefMut<'a, Vec<u8>>);

impl Drop for Cleared<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.clear();
    }
}

thread_local! {
    /// The connection whose turn this is; none between turns.
    static OWNER: Cell<Option<Owner>> = const { Cell::new(None) };
    /// The number of messages in the buffer.
    static MESSAGES: Cell<u16> = const { Cell::new(0) };
    /// The frames of one connection, none of which has been written.
    static FRAMES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The longest message in the buffer, in bytes.
///
/// With its header, where it is encoded already. To copy it costs less than to pass its header and
/// its payload to the kernel in two parts.
pub(crate) const LONGEST: usize = 16 * 1024;
/// The room of the buffer, in bytes, without the header of the last message.
pub(crate) const ROOM: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;
    use crate::protocol::frames::opcode::MessageKind;

    #[test]
    fn nothing_is_put_beside_frames_that_are_taken() {
        let (first, second) = ([1], [2]);
        let message = Frame::message(MessageKind::Binary, b"first");
        assert!(lend(Owner::of(&first)) && push(Owner::of(&first), &message, || true));

        let taken = take_back(|frames, messages| {
            assert!(lend(Owner::of(&second)) && !push(Owner::of(&second), &message, || true));
            assert_eq!(take_back(|_frames, _messages| ()), None);
            (frames.to_vec(), messages)
        });

        assert_eq!(taken, Some((b"\x82\x05first".to_vec(), 1)));
        assert!(lend(Owner::of(&second)) && push(Owner::of(&second), &message, || true));
        assert_eq!(take_back(|_frames, messages| messages), Some(1));
    }

    /// Nor does another connection send them behind a panic.
    #[test]
    fn what_a_panic_leaves_reaches_no_other_connection() {
        let (first, second) = ([1], [2]);
        let message = Frame::message(MessageKind::Binary, b"secret");
        assert!(lend(Owner::of(&first)) && push(Owner::of(&first), &message, || true));
        assert!(catch_unwind(|| take_back(|_frames, _messages| panic!("a stream"))).is_err());

        assert!(lend(Owner::of(&second)) && !push(Owner::of(&first), &message, || true));
        let taken = take_back(|frames, messages| (frames.to_vec(), messages));

        assert_eq!(taken, Some((Vec::new(), 0)));
    }
}
