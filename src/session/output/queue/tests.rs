//! Which chunks the output is kept in, and where its frames begin.

use super::*;
use crate::protocol::frames::opcode::MessageKind;

fn own(outbox: &Outbox) -> Option<&[u8]> {
    match &outbox.0.as_ref()?.chunk {
        Chunk::Own(bytes) => Some(bytes),
        Chunk::Shared(_) => None,
    }
}

#[test]
fn what_many_send_is_not_copied_while_it_waits_alone() {
    let frames: Arc<[u8]> = Arc::from(*b"abc");
    let mut outboxes = [Outbox::default(), Outbox::default()];

    for outbox in &mut outboxes {
        outbox.push_prepared(&frames);
    }

    assert_eq!(Arc::strong_count(&frames), 3);
    assert_eq!(outboxes.each_ref().map(Outbox::len), [3, 3]);
    outboxes.iter_mut().for_each(Outbox::clear);
    assert_eq!(Arc::strong_count(&frames), 1);
}

#[test]
fn short_messages_that_wait_together_are_written_together() {
    let frames: Arc<[u8]> = Arc::from(*b"abc");
    let mut outbox = Outbox::default();

    outbox.push_prepared(&frames);
    outbox.queue().written = 1;
    outbox.push_prepared(&frames);
    outbox.push_encoded(b"def");

    assert_eq!(own(&outbox), Some(&b"bcabcdef"[..]));
    assert_eq!(outbox.len(), 8);
    assert_eq!(Arc::strong_count(&frames), 1);
}

#[test]
fn control_frames_alone_are_no_messages() {
    let (ping, text) = (Frame::ping(b"ping"), Frame::message(MessageKind::Text, b"text"));
    let mut outbox = Outbox::default();
    assert!(!outbox.has_messages());

    outbox.push(&ping, None);
    assert!(!outbox.has_messages());
    outbox.push(&text, None);
    outbox.push(&ping, None);
    outbox.push(&ping, None);
    assert!(outbox.has_messages());
    // The kernel takes all but a byte of the text, the text, and all but a byte of the rest.
    for (written, has_messages) in [(11, true), (12, false), (23, false)] {
        outbox.queue().written = written;
        assert_eq!(outbox.has_messages(), has_messages, "{written}");
    }
    outbox.push_encoded(b"abc");
    assert!(outbox.has_messages());
}

#[test]
fn a_big_message_stays_shared_when_others_follow() {
    let frames: Arc<[u8]> = Arc::from(vec![0; WORTH_A_CHUNK]);
    let mut outbox = Outbox::default();

    outbox.push_prepared(&frames);
    outbox.push_encoded(b"abc");
    outbox.push_prepared(&frames);

    assert_eq!(Arc::strong_count(&frames), 3);
    assert_eq!(outbox.len(), 2 * WORTH_A_CHUNK + 3);
}
