//! The limits of a request: its line, its header lines, their count, and the whole head.

use anyhow::{Result, ensure};

use support::raw_peer::{self, RawPeer, check_good_client};
use support::recorder::Recorder;
use support::{echo_server, serve};

use crate::protocol::handshake::{Refusal, changed, check_accepted, check_refused};

/// Qt: HSR-07 and HSR-12, where the connection ends without an answer.
#[test]
fn heads_over_the_limits_are_refused_as_soon_as_that_is_certain() -> Result<()> {
    let request = raw_peer::request();
    let many = |count| changed("\r\n\r\n", &format!("\r\n{}\r\n", "X: y\r\n".repeat(count)));
    let long_header = |length| changed("\r\n\r\n", &format!("\r\n{:x<length$}\r\n\r\n", "X: "));
    let long_line = |length| changed("/chat", &format!("/{:x<1$}", "", length - REQUEST_LINE));
    let whole = |length: usize| {
        let missing = length - request.len() - 4 * 7002;
        let filler = format!("{:x<7000}\r\n", "X: ").repeat(4);
        let last = missing - 2;
        changed("\r\n\r\n", &format!("\r\n{filler}{:x<last$}\r\n\r\n", "X: "))
    };

    check_accepted(vec![many(95)?, long_header(16_384)?, long_line(8192)?, whole(32 * 1024)?])?;

    let too_large = Refusal { status: 431, close_code: 1009, headers: &[] };
    let mut endless = request.trim_end().to_owned();
    endless.push_str(&"\r\nX: y".repeat(100_000));
    check_refused(
        &too_large,
        vec![many(96)?, long_header(16_385)?, whole(32 * 1024 + 1)?, endless]
            .into_iter()
            .map(String::into_bytes)
            .collect(),
    )?;
    let too_long = Refusal { status: 414, close_code: 1009, headers: &[] };
    check_refused(&too_long, vec![long_line(8193)?.into(), b"GET /".repeat(100_000)])
}

/// The limits are those of the program, for handshakes that begin from then on.
#[test]
fn the_limits_of_a_head_can_be_set() -> Result<()> {
    let server = echo_server()?;
    let (line, header) = (server.max_request_line_size(), server.max_header_line_size());
    ensure!((line, header) == (8 * 1024, 16 * 1024), "{line} {header}");
    let (count, head) = (server.max_header_count(), server.max_header_size());
    ensure!((count, head) == (100, 32 * 1024), "{count} {head}");
    let recorder = Recorder::default();
    recorder.watch_server(&server);
    let port = server.server_port();

    serve(move || {
        let status = |request: String| -> Result<u16> {
            let mut peer = RawPeer::connect(port)?;
            // What is refused need not be read to its end.
            let _ = peer.send(request);
            peer.read_status()
        };
        let line = |length: usize| changed("/chat", &"/x".repeat(length / 2));
        let header = |length| changed("\r\n\r\n", &format!("\r\n{:x<length$}\r\n\r\n", "Cookie: "));
        let many = |count| changed("\r\n\r\n", &format!("\r\n{}\r\n", "X: y\r\n".repeat(count)));
        ensure!((status(line(20_000)?)?, status(header(60_000)?)?) == (414, 431));
        ensure!(status(many(300)?)? == 431);

        server.set_max_request_line_size(30_000);
        server.set_max_header_line_size(60_000);
        server.set_max_header_count(400);
        server.set_max_header_size(100_000);
        ensure!((status(line(20_000)?)?, status(header(60_000)?)?) == (101, 101));
        ensure!(status(many(300)?)? == 101);
        ensure!((status(header(60_001)?)?, status(many(401)?)?) == (431, 431));

        server.set_max_request_line_size(usize::MAX);
        server.set_max_header_line_size(usize::MAX);
        server.set_max_header_size(500);
        ensure!(server.max_request_line_size() == 32 * 1024);
        ensure!((status(header(400)?)?, status(line(400)?)?) == (431, 431));
        check_good_client(port)
    })?;
    let expected = ["refused 414 1009", "refused 431 1009", "refused 431 1009"];
    ensure!(recorder.lines().starts_with(&expected.map(str::to_owned)), "{:?}", recorder.lines());
    Ok(())
}

/// The length of the good request's line, without its first path segment.
const REQUEST_LINE: usize = "GET /?room=1 HTTP/1.1".len();
