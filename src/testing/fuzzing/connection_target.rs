//! Fuzz target: one connection from beginning to end, over a scripted stream.

use std::time::Duration;

use crate::protocol::frames::limits::Limits;
use crate::protocol::frames::opcode::{MessageKind, Opcode};
use crate::runtime::turns;
use crate::session::{KEEPALIVE_PAYLOAD, Observer, OutputLevel};
use crate::testing::Random;
use crate::testing::connection::{Record, Recorder, Report, ScriptedConnection, Slot};
use crate::testing::decoding::{Outcome, Received, decode_reads};
use crate::testing::fuzzing::connection_script::{Action, Reply, Script};
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::role::Role;
use crate::types::socket_state::SocketState;

/// Plays a script, see [`Script::parse`], and then sends the rest and the end.
pub fn connection(data: &[u8]) {
    let Some(script) = Script::parse(data) else { return };
    let (leftover, rest) = script.wire.split_at(script.leftover);
    let connection = ScriptedConnection::new(script.role, leftover, slot(script.reply));
    let Ok(mut connection) = connection else { return };

    let unsent = play(&script, rest, &mut connection);
    finish(unsent, &mut connection);

    let record = connection.record();
    let received = decode_reads((script.role, Limits::default()), [script.wire]);
    let written = connection.peer.written();
    let peer = match script.role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    };
    let answers = decode_reads((peer, UNLIMITED), [&written[..]]);
    check_lifecycle(&record);
    check_levels(&record);
    check_reports(&script, &record, &received);
    check_answers(&script, &record, &received, &answers);
    check_last_frame(peer, &written, &answers);
    assert!(record.written <= written.len(), "{} were reported", record.written);
    if script.is_lossless() {
        // Without slots for it, what turns without other reports have written is not reported.
        if script.reports.written {
            assert_eq!(record.written, written.len(), "not all was reported");
        }
        check_orderly_end(&script, &connection, &received, &answers);
    }
}

fn slot(reply: Reply) -> Slot {
    Box::new(move |recorder, report| {
        let (kind, payload) = match report {
            Report::Text(text) => (MessageKind::Text, text.as_bytes()),
            Report::Binary(bytes) => (MessageKind::Binary, &bytes[..]),
            Report::Written if reply == Reply::Stream => return send_piece(recorder),
            _ => return,
        };
        let echo = || {
            recorder.send(kind, payload);
        };
        match reply {
            Reply::None => {}
            Reply::Echo | Reply::Stream => echo(),
            Reply::Big => {
                recorder.send(MessageKind::Binary, &[payload, &vec![0; 20_000]].concat());
            }
            Reply::EchoAndFlush => {
                echo();
                recorder.session().flush();
                echo();
            }
            Reply::SuspendAndEcho => {
                echo();
                turns::suspend_all();
                echo();
            }
            Reply::EchoAndClose => {
                echo();
                recorder.session().close(CloseCode::GOING_AWAY, "enough");
            }
            Reply::Abort => recorder.session().abort(),
        }
    })
}

fn send_piece(recorder: &Recorder) {
    if recorder.sent_count() < 100 {
        recorder.send(MessageKind::Binary, &[3; 1000]);
    }
}

/// Plays the steps and returns what of `rest` has not been sent.
fn play<'w>(
    script: &Script<'_>,
    mut rest: &'w [u8],
    connection: &mut ScriptedConnection,
) -> &'w [u8] {
    if script.reports.frames {
        connection.report_frames();
        connection.session().watch_output();
        connection.session().change_settings(|settings| settings.output.high_water_mark = 1000);
    }
    if !script.reports.written {
        connection.ignore_written();
    }
    if script.is_taken {
        connection.start_reading();
    }
    if script.has_room {
        connection.peer.make_room(usize::MAX);
    }
    for step in &script.steps {
        match step.action {
            Action::Arrive(count) => {
                let (read, unsent) = rest.split_at(count.min(rest.len()));
                connection.peer.send(read);
                rest = unsent;
            }
            action => apply(action, connection),
        }
        if step.settles {
            connection.settle();
        }
    }
    rest
}

fn apply(action: Action, connection: &mut ScriptedConnection) {
    let (peer, recorder) = (&connection.peer, connection.recorder());
    match action {
        // The caller has the bytes.
        Action::Arrive(_) => {}
        Action::MakeRoom(count) => peer.make_room(count),
        Action::SendText(length) => _ = recorder.send(MessageKind::Text, &[b'a'; 255][..length]),
        Action::SendBinary(length) => _ = recorder.send(MessageKind::Binary, &vec![1; length]),
        Action::SendPrepared(length) => _ = recorder.send_prepared(&vec![1; length]),
        Action::Ping(length) => _ = recorder.ping(&[2; 255][..length]),
        Action::FrameSize(size) => {
            recorder.session().change_settings(|settings| settings.outgoing_frame_size = size);
        }
        Action::Policy(policy, limit) => recorder.session().change_settings(|settings| {
            (settings.output.policy, settings.output.limit) = (policy, limit);
        }),
        Action::CheckAlive => recorder.session().check_alive(Duration::from_secs(5)),
        Action::Close(code) => _ = connection.session().close(CloseCode::new(code), "script"),
        Action::Abort => connection.session().abort(),
        Action::Flush => _ = connection.session().flush(),
        Action::StartReading => connection.start_reading(),
        Action::AdvanceMillis(count) => {
            connection.advance(Duration::from_millis(count));
        }
        Action::SpuriousEvent => peer.report_in_vain(),
        Action::Interrupt(calls) => peer.interrupt(calls),
        Action::End => peer.end(),
        Action::FailReading(kind) => peer.fail_reading(kind),
        Action::FailWriting(count, kind) => peer.fail_writing(peer.written().len() + count, kind),
    }
}

/// Sends the rest in pieces of many lengths, and ends the connection.
fn finish(mut unsent: &[u8], connection: &mut ScriptedConnection) {
    connection.start_reading();
    let mut random = Random(unsent.len() as u64);
    while !unsent.is_empty() {
        let longest = [1, 10, 1000, 100_000][random.below(4)];
        let (read, rest) = unsent.split_at((1 + random.below(longest)).min(unsent.len()));
        connection.peer.send(read);
        connection.settle();
        unsent = rest;
    }
    connection.peer.end();
    connection.settle();
    connection.peer.make_room(usize::MAX);
    connection.settle();
    assert!(connection.has_ended(), "it did not end");
}

/// Checks the order of closing, failure, states and end, each once at most.
fn check_lifecycle(record: &Record) {
    let is_lifecycle = |report: &&Report| {
        matches!(report, Report::Closing | Report::State(_) | Report::Failed(_) | Report::Ended)
    };
    let lifecycle: Vec<&Report> = record.reports.iter().filter(is_lifecycle).collect();
    let closing = match &lifecycle[..] {
        [
            closing @ ..,
            Report::Failed(_),
            Report::State(SocketState::Unconnected),
            Report::Ended,
        ]
        | [closing @ .., Report::State(SocketState::Unconnected), Report::Ended] => closing,
        lifecycle => unreachable!("{lifecycle:?}"),
    };
    let is_right = match closing {
        [] | [Report::Closing, Report::State(SocketState::Closing)] => true,
        // `abort` is announced too, without a state.
        [Report::Closing] => !matches!(lifecycle[..], [.., Report::Failed(_), _, _]),
        _ => false,
    };
    assert!(is_right, "{lifecycle:?}");
}

/// Checks that the high-water mark precedes the drained output.
fn check_levels(record: &Record) {
    let levels = record.reports.iter().filter_map(|report| match report {
        Report::Level(level) => Some(*level),
        _ => None,
    });
    let expected = [OutputLevel::High, OutputLevel::Drained].into_iter().cycle();
    assert!(levels.zip(expected).all(|(report, expected)| report == expected));
}

/// Checks that input is delivered in order, and completely if nothing is lost.
fn check_reports(script: &Script<'_>, record: &Record, received: &Outcome) {
    let report = record.reports.iter().filter_map(|report| match report {
        Report::Text(text) => Some(Received::Text(text.clone())),
        Report::Binary(bytes) => Some(Received::Binary(bytes.clone())),
        Report::Pong(payload) => Some(Received::Pong(payload.clone())),
        _ => None,
    });
    let report: Vec<_> = report.collect();
    let is_delivered =
        |event: &&Received| !matches!(event, Received::Ping(_) | Received::Close(..));
    let expected: Vec<_> = received.0.iter().filter(is_delivered).cloned().collect();

    assert!(expected.starts_with(&report), "{report:?} is no beginning of {expected:?}");
    if script.is_lossless() {
        assert_eq!(report.len(), expected.len(), "not all was delivered");
    }
}

/// Checks that the output is whole frames of this role, in order.
///
/// These are the sent frames, pongs for some of the pings, each once, and a close frame at the end.
/// The latest pong may overtake one that waits behind other output.
fn check_answers(
    script: &Script<'_>,
    record: &Record,
    received: &Outcome,
    (answers, violation): &Outcome,
) {
    assert_eq!(*violation, None, "{answers:?}");
    let mut sent = record.sent.iter();
    let mut sent_pings = record.sent.iter().filter(|(opcode, _)| *opcode == Opcode::Ping);
    let mut pings: Vec<_> = received.0.iter().collect();
    let mut is_next = |frame: (Opcode, Vec<u8>)| match (script.drops(), frame.0) {
        (true, Opcode::Ping) => sent_pings.next() == Some(&frame),
        (true, _) => sent.any(|sent| *sent == frame),
        (false, _) => sent.next() == Some(&frame),
    };
    for answer in answers {
        let is_right = match answer {
            Received::Text(text) => is_next((Opcode::Text, text.clone().into_bytes())),
            Received::Binary(bytes) => is_next((Opcode::Binary, bytes.clone())),
            Received::Ping(payload) if payload == KEEPALIVE_PAYLOAD => true,
            Received::Ping(payload) => is_next((Opcode::Ping, payload.clone())),
            Received::Pong(payload) => {
                let is_asked =
                    |ping: &&Received| matches!(ping, Received::Ping(ping) if ping == payload);
                pings.iter().position(is_asked).map(|place| pings.remove(place)).is_some()
            }
            Received::Close(..) => true,
        };
        assert!(is_right, "{answer:?} was written");
    }
}

/// RFC 6455 §5.5.1: nothing is sent behind the close frame.
fn check_last_frame(peer: Role, written: &[u8], (answers, _): &Outcome) {
    if let (Some(Received::Close(..)), [but_one @ .., _]) = (answers.last(), written) {
        let (before, _) = decode_reads((peer, UNLIMITED), [but_one]);
        assert_eq!(before.len() + 1, answers.len(), "something follows the close frame");
    }
}

/// Checks that an undisturbed connection ends in order, with all output written.
fn check_orderly_end(
    script: &Script<'_>,
    connection: &ScriptedConnection,
    (received, violation): &Outcome,
    (answers, _): &Outcome,
) {
    let record = connection.record();
    let failure = record.reports.iter().find_map(|report| match report {
        Report::Failed(error) => Some(error),
        _ => None,
    });
    if matches!(failure, Some(Error::OutputLimit { .. })) {
        return;
    }
    let has_closed = record.reports.iter().any(|report| matches!(report, Report::Closing));
    let close = answers.last().filter(|answer| matches!(answer, Received::Close(..)));
    assert_eq!(close.is_some(), has_closed, "{answers:?}");
    assert_eq!(failure.is_none(), has_closed, "{failure:?}");
    if has_closed {
        let is_sent =
            |answer: &&Received| !matches!(answer, Received::Pong(_) | Received::Close(..));
        let written = answers.iter().filter(is_sent).count() as u64;
        let dropped = connection.session().dropped_messages();
        let (sent, is_all) = (record.sent.len() as u64, dropped == 0);
        assert!(written <= sent && written + dropped >= sent, "not all that was sent was written");
        assert!(!is_all || written == sent, "not all that was sent was written");
    }
    if script.never_closes() {
        let expected = match (received.last(), violation) {
            (_, Some(violation)) => {
                let code = u16::from(violation.close_code());
                Some(Received::Close(Some(code), violation.reason().to_owned()))
            }
            (Some(close @ Received::Close(..)), None) => Some(close.clone()),
            (_, None) => None,
        };
        assert_eq!(close.cloned(), expected);
    }
}

const UNLIMITED: Limits =
    Limits { max_frame_size: usize::MAX, max_message_size: usize::MAX, max_fragments: u32::MAX };
