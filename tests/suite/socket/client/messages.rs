//! Messages of a client: their sizes and masking keys.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use anyhow::{Result, ensure};
use slotwork::{CloseCode, SendStatus, WebSocket};

use support::raw_peer::{BINARY, Frame, TEXT, masked};
use support::raw_server::RawServer;
use support::{echo_server, listening_server, recorded_client, serve, wait_until};

/// Messages of every size, both ways between our own ends; Qt: SND-02, SND-10.
#[test]
fn messages_of_every_size_come_back() -> Result<()> {
    let server = echo_server()?;
    let socket = WebSocket::new();
    // The last message comes while the ones before it wait.
    socket.set_output_limit(32 << 20);
    let lengths = Rc::new(Cell::new((0, 0)));
    socket.binary_message_received().connect_to(&lengths, |lengths, socket, bytes| {
        assert!(bytes.iter().all(|byte| *byte == 7));
        let (count, sum) = lengths.get();
        lengths.set((count + 1, sum + bytes.len()));
        if count + 1 == SIZES.len() {
            socket.close(1000, "");
        }
    });
    socket.connected().connect(|socket, ()| {
        for size in SIZES {
            let status = socket.send_binary_message(vec![7; size]);
            assert_eq!(status, SendStatus::Queued, "{size}");
        }
    });
    let disconnected = Rc::new(Cell::new(None));
    socket.disconnected().connect_to(&disconnected, |disconnected, socket, ()| {
        disconnected.set(socket.close_code());
    });

    socket.open(server.server_url())?;

    wait_until(|| disconnected.get().is_some())?;
    assert_eq!(disconnected.get(), Some(CloseCode::NORMAL));
    assert_eq!(lengths.get(), (SIZES.len(), SIZES.iter().sum()));
    Ok(())
}

const SIZES: [usize; 10] =
    [0, 1, 125, 126, 65_535, 65_536, 16_384, 600_000, 1 << 20, (16 << 20) - 3];

/// One message may be larger than what may wait for a peer: that limit is for peers that do not read.
#[test]
fn a_client_sends_a_message_larger_than_the_output_limit() -> Result<()> {
    let server = listening_server()?;
    server.new_connection().connect(|server, ()| {
        let Some(socket) = server.next_pending_connection() else { return };
        socket.set_max_allowed_incoming_message_size(HUGE);
        socket.binary_message_received().connect(|socket, bytes| {
            socket.send_text_message(bytes.len().to_string());
        });
    });
    let (socket, length) = (WebSocket::new(), Rc::new(Cell::new(0)));
    socket.connected().connect(|socket, ()| {
        assert_eq!(socket.send_binary_message(vec![1; HUGE]), SendStatus::Queued);
    });
    socket.text_message_received().connect_to(&length, |length, _socket, text| {
        length.set(text.parse().unwrap());
    });

    socket.open(server.server_url())?;

    wait_until(|| length.get() == HUGE)
}

const HUGE: usize = 20 << 20;

/// Qt: SND-04, SND-06; RFC 6455 §5.3: each frame has an unpredictable masking key of its own.
#[test]
fn each_frame_is_masked_with_a_fresh_key() -> Result<()> {
    let server = RawServer::listen()?;
    let socket = WebSocket::new();
    socket.set_outgoing_frame_size(NonZeroUsize::new(20_000).unwrap());
    socket.connected().connect(|socket, ()| {
        for _ in 0..20 {
            socket.send_text_message("a");
        }
        socket.send_binary_message(vec![5; 50_000]);
        socket.ping("");
    });
    socket.open(server.url())?;

    let keys = serve(move || {
        let mut client = server.open()?;
        let mut keys = Vec::new();
        for place in 0..24 {
            let frame = client.read_frame()?;
            let expected = match place {
                0..20 => Frame { opcode: TEXT, payload: b"a".to_vec() },
                20 => Frame { opcode: BINARY, payload: vec![5; 20_000] },
                21 => Frame { opcode: 0, payload: vec![5; 20_000] },
                22 => Frame { opcode: 0, payload: vec![5; 10_000] },
                _ => Frame { opcode: 9, payload: vec![] },
            };
            ensure!(frame.frame == expected, "frame {place}");
            ensure!(frame.is_final == !matches!(place, 20 | 21), "frame {place}");
            keys.push(frame.key);
        }
        client.close(1000, "")?;
        Ok(keys)
    })?;

    let mut distinct = keys.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");
    Ok(())
}

/// RFC 6455 §5.1, Qt: RCV-21: a server that masks is sent away, with a masked close frame.
#[test]
fn a_masked_frame_of_a_server_is_answered_with_1002() -> Result<()> {
    let server = RawServer::listen()?;
    let (socket, recorder) = recorded_client();
    socket.open(server.url())?;

    serve(move || {
        let mut client = server.open()?;
        client.peer.send(masked(TEXT, b"hello"))?;
        let code = client.read_frame()?.frame.close_code()?;
        ensure!(code == 1002, "{code}");
        ensure!(client.peer.read_to_end()?.is_empty());
        Ok(())
    })?;

    recorder.wait_for_disconnected(1)?;
    assert_eq!(socket.close_code(), Some(CloseCode::PROTOCOL_ERROR));
    assert!(socket.error().is_none());
    Ok(())
}
