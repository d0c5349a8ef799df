//! The settings of a socket: their defaults, and what is read back.

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Result, ensure};
use slotwork::{NetworkProxy, OutputPolicy, WebSocket};

/// A name, the documented default, a change, and what is read afterwards.
type Setting = (&'static str, fn(&WebSocket) -> bool, fn(&WebSocket), fn(&WebSocket) -> bool);

const SECOND: Duration = Duration::from_secs(1);
const MIB: usize = 1 << 20;

const SETTINGS: &[Setting] = &[
    (
        "frame size",
        |s| s.max_allowed_incoming_frame_size() == 16 * MIB,
        |s| s.set_max_allowed_incoming_frame_size(1),
        |s| s.max_allowed_incoming_frame_size() == 1,
    ),
    (
        "message size",
        |s| s.max_allowed_incoming_message_size() == 16 * MIB,
        |s| s.set_max_allowed_incoming_message_size(2),
        |s| s.max_allowed_incoming_message_size() == 2,
    ),
    (
        "outgoing frames",
        |s| s.outgoing_frame_size().get() == MIB / 2,
        |s| s.set_outgoing_frame_size(NonZeroUsize::MIN),
        |s| s.outgoing_frame_size().get() == 1,
    ),
    (
        "messages in a second",
        |s| s.max_messages_per_second().is_none(),
        |s| s.set_max_messages_per_second(Some(3)),
        |s| s.max_messages_per_second() == Some(3),
    ),
    (
        "bytes in a second",
        |s| s.max_bytes_per_second().is_none(),
        |s| s.set_max_bytes_per_second(Some(4)),
        |s| s.max_bytes_per_second() == Some(4),
    ),
    (
        "write timeout",
        |s| s.write_timeout() == Some(30 * SECOND),
        |s| s.set_write_timeout(None),
        |s| s.write_timeout().is_none(),
    ),
    (
        "closing timeout",
        |s| s.closing_timeout() == Some(10 * SECOND),
        |s| s.set_closing_timeout(Some(SECOND)),
        |s| s.closing_timeout() == Some(SECOND),
    ),
    (
        "connect timeout",
        |s| s.connect_timeout() == Some(10 * SECOND),
        |s| s.set_connect_timeout(None),
        |s| s.connect_timeout().is_none(),
    ),
    (
        "output policy",
        |s| s.output_policy() == OutputPolicy::Close,
        |s| s.set_output_policy(OutputPolicy::KeepLatest),
        |s| s.output_policy() == OutputPolicy::KeepLatest,
    ),
    (
        "output limit",
        |s| s.output_limit() == 16 * MIB,
        |s| s.set_output_limit(5),
        |s| s.output_limit() == 5,
    ),
    (
        "send buffer",
        |s| s.send_buffer() == Some(MIB / 2),
        |s| s.set_send_buffer(None),
        |s| s.send_buffer().is_none(),
    ),
    (
        "receive queue",
        |s| s.receive_queue_limit() == 128 << 10,
        |s| s.set_receive_queue_limit(6),
        |s| s.receive_queue_limit() == 6,
    ),
    (
        "proxy",
        |s| s.proxy().is_none(),
        |s| s.set_proxy(Some(NetworkProxy::http("proxy.example", 3128))),
        |s| s.proxy().is_some_and(|it| it.host() == "proxy.example" && it.port() == 3128),
    ),
];

/// Each setting has its documented default, and changes alone.
#[test]
fn each_setting_is_read_back() -> Result<()> {
    for (changed, _, change, is_changed) in SETTINGS {
        let socket = WebSocket::new();
        change(&socket);

        ensure!(is_changed(&socket), "{changed} was not changed");
        for (other, has_default, ..) in SETTINGS.iter().filter(|(other, ..)| other != changed) {
            ensure!(has_default(&socket), "{other} has not its default, with {changed} changed");
        }
    }
    Ok(())
}

/// With 0 a socket would never read again.
#[test]
fn a_rate_of_0_is_raised_to_1() {
    let socket = WebSocket::new();

    socket.set_max_messages_per_second(Some(0));
    socket.set_max_bytes_per_second(Some(0));

    assert_eq!(
        (socket.max_messages_per_second(), socket.max_bytes_per_second()),
        (Some(1), Some(1))
    );
}
