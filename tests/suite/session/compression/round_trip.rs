//! Echoes of compressed messages, in both directions (RFC 7692 §7.1.1, §7.2).

use std::num::NonZeroUsize;

use anyhow::{Context, Result, ensure};
use slotwork::{CompressionLevel, PreparedMessage, SocketState, WebSocket};

use support::compressed_peer::{CompressedPeer, chat_message};
use support::recorder::Recorder;
use support::{compressing_server, serve, wait_until};

use super::{OFFER, WITHOUT_HISTORY};

/// RFC 7692 §7.1.1 and §7.2: both directions with context takeover, for windows of all sizes, and
/// plain messages between.
#[test]
fn echoes_with_a_history() -> Result<()> {
    for size in [512, 4096, 32_768] {
        let server = compressing_server(WITHOUT_HISTORY.history(size)?)?;
        let port = server.server_port();
        serve(move || {
            let mut peer = CompressedPeer::open(port, OFFER)?;
            ensure!(!peer.agreed.contains("no_context_takeover"), "{}", peer.agreed);
            for number in 0..200 {
                let text = chat_message(number, 64 + number * 37 % 3000);
                if number % 5 == 0 {
                    peer.send_plain(&text)?;
                    peer.expect_text(&text)?;
                } else {
                    peer.check_echo(&text)?;
                }
            }
            peer.check_echo(&chat_message(1, 300_000))?;
            peer.check_echo(&chat_message(2, 100))
        })?;
    }
    Ok(())
}

/// RFC 7692 §7.1.1.1: without a history each message is compressed by itself.
#[test]
fn echoes_without_a_history() -> Result<()> {
    for level in [CompressionLevel::Fast, CompressionLevel::Balanced, CompressionLevel::Small] {
        let server = compressing_server(WITHOUT_HISTORY.level(level))?;
        let port = server.server_port();
        serve(move || {
            let mut peer = CompressedPeer::open(port, OFFER)?;
            ensure!(peer.agreed.contains("server_no_context_takeover"), "{}", peer.agreed);
            (0..50).try_for_each(|number| peer.check_echo(&chat_message(number, 300 + number * 61)))
        })?;
    }
    Ok(())
}

/// Our client and our server: both directions, masked, with fragments, and prepared messages.
#[test]
fn a_client_and_a_server_compress_for_each_other() -> Result<()> {
    for compression in
        [WITHOUT_HISTORY, WITHOUT_HISTORY.history(1024)?, WITHOUT_HISTORY.history(32_768)?]
    {
        let server = compressing_server(compression)?;
        let client = WebSocket::new();
        client.set_compression(compression);
        client.set_outgoing_frame_size(NonZeroUsize::new(70).context("not zero")?);
        let recorder = Recorder::default();
        let texts = recorder.clone();
        client.text_message_received().connect(move |_, text| texts.add(text));
        client.open(server.server_url())?;
        wait_until(|| client.state() == SocketState::Connected)?;
        ensure!(client.compression().is_some());

        let texts: Vec<_> = (0..100).map(|number| chat_message(number, number * 29)).collect();
        for (number, text) in texts.iter().enumerate() {
            if number % 3 == 0 {
                client.send_prepared(&PreparedMessage::text(text));
            } else {
                client.send_text_message(text);
            }
        }

        let expected: Vec<_> = texts.iter().map(String::as_str).collect();
        recorder.wait_for(&expected)?;
    }
    Ok(())
}
