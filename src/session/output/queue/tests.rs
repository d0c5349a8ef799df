//! Which chunks the output is kept in, and where its frames begin.

use super::*;
use crate::protocol::frames::opcode::MessageKind;

fn own(queue: &OutputQueue) -> Option<&[u8]> {
    match &queue.0.as_ref()?.chunk {
        Chunk::Own(bytes) => Some(bytes),
        Chunk::Shared(_) => None,
    }
}

#[test]
fn what_many_send_is_not_copied_while_it_waits_alone() {
    let frames: Arc<[u8]> = Arc::from(*b"abc");
    let mut queues = [OutputQueue::default(), OutputQueue::default()];

    for queue in &mut queues {
        queue.push_prepared(&frames);
    }

    assert_eq!(Arc::strong_count(&frames), 3);
    assert_eq!(queues.each_ref().map(OutputQueue::len), [3, 3]);
    queues.iter_mut().for_each(OutputQueue::clear);
    assert_eq!(Arc::strong_count(&frames), 1);
}

#[test]
fn short_messages_that_wait_together_are_written_together() {
    let frames: Arc<[u8]> = Arc::from(*b"abc");
    let mut queue = OutputQueue::default();

    queue.push_prepared(&frames);
    queue.contents().written = 1;
    queue.push_prepared(&frames);
    queue.push_encoded(b"def");

    assert_eq!(own(&queue), Some(&b"bcabcdef"[..]));
    assert_eq!(queue.len(), 8);
    assert_eq!(Arc::strong_count(&frames), 1);
}

#[test]
fn control_frames_alone_are_no_messages() {
    let (ping, text) = (Frame::ping(b"ping"), Frame::message(MessageKind::Text, b"text"));
    let mut queue = OutputQueue::default();
    assert!(!queue.has_messages());

    queue.push(&ping, None);
    assert!(!queue.has_messages());
    queue.push(&text, None);
    queue.push(&ping, None);
    queue.push(&ping, None);
    assert!(queue.has_messages());
    // The kernel takes all but a byte of the text, the text, and all but a byte of the rest.
    for (written, has_messages) in [(11, true), (12, false), (23, false)] {
        queue.contents().written = written;
        assert_eq!(queue.has_messages(), has_messages, "{written}");
    }
    queue.push_encoded(b"abc");
    assert!(queue.has_messages());
}

/// RFC 6455 §5.4: one that overtakes the others, neither.
#[test]
fn an_urgent_control_frame_is_no_message() {
    let ping = Frame::ping(b"ping");
    let mut queue = OutputQueue::default();

    queue.push(&ping, None);
    queue.push_urgent(&ping, None);
    assert!(!queue.has_messages());

    queue.push(&Frame::message(MessageKind::Text, b"text"), None);
    assert!(queue.has_messages());
}

#[test]
fn a_big_message_stays_shared_when_others_follow() {
    let frames: Arc<[u8]> = Arc::from(vec![0; MIN_CHUNK]);
    let mut queue = OutputQueue::default();

    queue.push_prepared(&frames);
    queue.push_encoded(b"abc");
    queue.push_prepared(&frames);

    assert_eq!(Arc::strong_count(&frames), 3);
    assert_eq!(queue.len(), 2 * MIN_CHUNK + 3);
}
