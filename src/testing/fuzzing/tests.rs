//! The fuzz targets over seeded inputs and over their committed corpora.

use std::fs;
use std::io;
use std::path::Path;

use crate::protocol::frames::close_frame::ClosePayload;
use crate::protocol::frames::frame::Frame;
use crate::protocol::frames::frame_header::ReservedBits;
use crate::protocol::frames::opcode::Opcode;
use crate::testing::Random;
#[cfg(feature = "proxy-protocol")]
use crate::testing::fuzzing::proxy_header;
#[cfg(feature = "compression")]
use crate::testing::fuzzing::{compressed, extensions};
use crate::testing::fuzzing::{
    connection, frames_client, frames_server, head, httparse, tungstenite,
};
use crate::types::close_code::CloseCode;

/// Every file of every corpus, also inputs that a fuzzer has found once.
#[test]
fn the_corpora_break_no_promise() -> io::Result<()> {
    type Target = fn(&[u8]);
    let targets: &[(&str, Target)] = &[
        #[cfg(feature = "compression")]
        ("compressed", compressed),
        ("connection", connection),
        #[cfg(feature = "compression")]
        ("extensions", extensions),
        ("frames_client", frames_client),
        ("frames_server", frames_server),
        ("head", head),
        #[cfg(feature = "proxy-protocol")]
        ("proxy_header", proxy_header),
        ("httparse", httparse),
        ("tungstenite", tungstenite),
    ];
    for (name, target) in targets {
        for input in corpus(name)? {
            target(&input);
        }
    }
    Ok(())
}

/// RFC 6455 §9.1 and RFC 7692 §7.1: headers of random words and separators.
#[cfg(feature = "compression")]
#[test]
fn extensions_are_negotiated_by_the_rules_for_random_headers() {
    const PIECES: [&str; 24] = [
        "permessage-deflate",
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
        "server_max_window_bits=9",
        "client_max_window_bits=\"12\"",
        ", permessage-deflate",
        ", ",
        "; ",
        ";",
        ",",
        "=",
        "=8",
        "=10",
        "=15",
        "=\"9\"",
        "\"",
        "\\",
        "\n",
        "foo",
        " ",
    ];
    for seed in 0..3000 {
        let mut random = Random(seed);
        let mut header = random.bytes(1);
        for _ in 0..random.below(12) {
            header.extend(PIECES[random.below(PIECES.len())].as_bytes());
        }

        extensions(&header);
    }
}

/// RFC 7692 §7.2: compressed messages, of which some bytes are changed.
#[cfg(feature = "compression")]
#[test]
fn compressed_messages_are_read_alike_in_random_pieces() -> io::Result<()> {
    for sample in corpus("compressed")? {
        for seed in 0..60 {
            let mut random = Random(seed);
            let mut changed = sample.clone();
            changed[0] = changed[0] & 0x80 | random.bytes(1)[0] & 0x7F;
            for _ in 0..random.below(4) {
                let place = random.below(changed.len());
                changed[place] = random.bytes(1)[0];
            }
            compressed(&changed);
        }
    }
    Ok(())
}

/// MSG-18: partial reads and writes, failures, closings and timeouts in any order.
#[test]
fn connections_keep_their_promises_in_random_scripts() {
    for seed in 0..600 {
        let mut random = Random(seed);
        let settings = random.bytes(2);
        let key = if settings[0] & 0x40 == 0 { Some([1, 2, 3, 4]) } else { None };
        let wire = conversation(&mut random, key);
        // Every third script has nothing in it that costs messages.
        let kinds: &[u8] =
            if seed % 3 == 0 { &[0, 1, 2, 3, 4, 5, 6, 9, 10, 12] } else { &ALL_KINDS };
        let mut script = settings;
        let count = random.below(40);
        script.extend(u8::try_from(count));
        for _ in 0..count {
            let batched = if random.below(3) == 0 { 0x80 } else { 0 };
            script.push(kinds[random.below(kinds.len())] | batched);
            script.extend(random.bytes(1));
        }
        script.extend(wire);

        connection(&script);
    }
}

/// RFC 6455 §5: conversations, of which some bytes are changed.
#[test]
fn random_frames_are_read_as_tungstenite_reads_them() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut input = random.bytes(2);
        let key = if input[0] & 0x80 == 0 { Some([1, 2, 3, 4]) } else { None };
        input.extend(conversation(&mut random, key));
        for _ in 0..random.below(3) {
            let place = random.below(input.len());
            input[place] = random.bytes(1)[0];
        }

        tungstenite(&input);
    }
}

/// Returns the committed inputs of a target.
///
/// A published package has none: `fuzz/` is not a part of it.
fn corpus(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Cargo adds this file to each package that it publishes.
    if package.join("Cargo.toml.orig").exists() {
        return Ok(Vec::new());
    }
    let files = fs::read_dir(package.join("fuzz/corpus").join(target))?;
    let inputs: Vec<_> = files.map(|entry| fs::read(entry?.path())).collect::<io::Result<_>>()?;
    assert!(inputs.len() >= 20, "{target} has {} files", inputs.len());
    Ok(inputs)
}

/// Frames of a peer, some of them invalid; a client masks.
fn conversation(random: &mut Random, key: Option<[u8; 4]>) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..random.below(40) {
        let length = [0, 5, 130, 70_000][random.below(4)];
        let payload = vec![b'x'; random.below(length + 1)];
        let opcode = [Opcode::Text, Opcode::Binary, Opcode::Ping, Opcode::Pong][random.below(4)];
        let frame = match opcode {
            Opcode::Ping => Frame::ping(&payload),
            Opcode::Pong => Frame::pong(&payload),
            opcode => {
                Frame { opcode, is_final: true, reserved: ReservedBits::NONE, payload: &payload }
            }
        };
        frame.write_to(&mut wire, key);
    }
    match random.below(4) {
        0 => wire.extend([0xFF; 10]),
        1 => {}
        _ => {
            let payload = ClosePayload::new(CloseCode::NORMAL, "");
            Frame::close(&payload).write_to(&mut wire, key);
        }
    }
    wire
}

const ALL_KINDS: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
