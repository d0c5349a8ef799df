//! Reentrancy: captures that are dropped, generators of masking keys and wakers run inside calls
//! of the library, and may call the object that runs them, as no lock is held meanwhile.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
#[cfg(feature = "tls")]
use std::sync::atomic::AtomicU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use slotwork::signals::{self, Handle};
use slotwork::{
    EventLoop, MaskGenerator, SendStatus, SocketState, WeakWebSocket, WeakWebSocketServer,
    WebSocket,
};
use smol::stream::Stream;

use support::raw_peer::{Frame, RawPeer, TEXT, masked, request_with};
use support::raw_server::{MaskedFrame, RawClient, RawServer};
use support::{in_thread, listening_server, panic_in_slot, run_until, serve, wait_until};

/// Qt: `originAuthenticationRequired`: the first browser makes the server look whether it has slots,
/// which drops those of receivers that are gone, and their captures.
#[test]
fn a_capture_that_a_handshake_drops_may_ask_the_server() -> Result<()> {
    struct AsksWhenDropped(WeakWebSocketServer, Rc<Cell<bool>>);

    impl Drop for AsksWhenDropped {
        fn drop(&mut self) {
            if let Some(server) = self.0.upgrade() {
                self.1.set(server.is_listening() && server.server_name() == "Test Server");
            }
        }
    }

    in_thread(|_| {
        let (server, has_asked) = (listening_server()?, Rc::new(Cell::new(false)));
        let (receiver, port) = (Rc::new(()), server.server_port());
        let capture = AsksWhenDropped(server.downgrade(), Rc::clone(&has_asked));
        server
            .origin_authentication_required()
            .connect_to(&receiver, move |_receiver, _server, _question| _ = &capture);
        drop(receiver);

        serve(move || {
            let mut peer = RawPeer::connect(port)?;
            peer.send(request_with("Origin: http://localhost\r\n"))?;
            peer.expect_upgrade()
        })?;

        ensure!(has_asked.get());
        Ok(())
    })?
}

/// Qt: `QMaskGenerator`: it may call its socket while it makes a key, and when it is replaced.
/// The keys are those of the frames, in order, whatever sends them.
#[test]
fn a_mask_generator_may_ask_its_socket() -> Result<()> {
    in_thread(|_| {
        let socket = WebSocket::new();
        socket.set_mask_generator(Asking::new(&socket, 100));
        socket.set_mask_generator(Asking::new(&socket, 0));
        socket.set_outgoing_frame_size(NonZeroUsize::new(10).context("0")?);
        let mut client = open(&socket)?;
        socket.send_text_message("a");
        socket.ping("b");
        socket.send_binary_message([5; 25]);
        socket.send_binary_message(vec![6; 20_000]);
        ensure!(socket.send_text_message("c") == SendStatus::Queued);

        let (client, frames) = serve(move || {
            client.peer.send([0x89, 0x01, b'd'])?;
            let frames = read_frames(&mut client, 1 + 1 + 3 + 2_000 + 1 + 1)?;
            Ok((client, frames))
        })?;
        socket.close(1000, "");
        serve(move || client.close(1000, ""))?;

        for (place, frame) in frames.iter().enumerate() {
            let number = u8::try_from((place + 1) % 256)?;
            ensure!(frame.key == [number; 4], "frame {place}: {:?}", frame.key);
        }
        Ok(())
    })?
}

/// What a generator sends while it makes a key goes out, with a random key.
#[test]
fn a_mask_generator_may_send() -> Result<()> {
    struct Sends(WeakWebSocket);

    impl MaskGenerator for Sends {
        fn next_mask(&mut self) -> [u8; 4] {
            if let Some(socket) = self.0.upgrade() {
                socket.send_text_message("inside");
            }
            [7; 4]
        }
    }

    in_thread(|_| {
        let socket = WebSocket::new();
        let mut client = open(&socket)?;
        socket.set_mask_generator(Sends(socket.downgrade()));

        socket.send_text_message("outside");

        let frames = serve(move || read_frames(&mut client, 2))?;
        let texts: Vec<_> = frames.into_iter().map(|frame| frame.frame).collect();
        ensure!(texts == [Frame::text("inside"), Frame::text("outside")], "{texts:?}");
        Ok(())
    })?
}

/// A panic in a generator loses no frame, and nothing hangs afterwards.
#[test]
fn a_mask_generator_that_panics_loses_no_frame() -> Result<()> {
    struct Panics;

    impl MaskGenerator for Panics {
        fn next_mask(&mut self) -> [u8; 4] {
            panic_in_slot()
        }
    }

    in_thread(|_| {
        let socket = WebSocket::new();
        let mut client = open(&socket)?;
        socket.set_mask_generator(Panics);

        let status = socket.send_text_message("a");
        socket.close(1000, "");

        let frames = serve(move || read_frames(&mut client, 2))?;
        ensure!(status == SendStatus::Queued && frames[0].frame == Frame::text("a"));
        ensure!(frames[1].frame == Frame::close(1000, ""));
        Ok(())
    })?
}

/// A waker that a stream of messages lets go may run the loop, and so receive a message.
#[test]
fn a_waker_that_a_message_stream_drops_may_run_the_loop() -> Result<()> {
    struct RunsWhenDropped(Arc<AtomicBool>);

    impl Wake for RunsWhenDropped {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for RunsWhenDropped {
        fn drop(&mut self) {
            let has_run = run_until(smol::Timer::after(Duration::from_millis(50))).is_ok();
            self.0.store(has_run, Ordering::Relaxed);
        }
    }

    in_thread(|_| {
        let server = listening_server()?;
        let port = server.server_port();
        let mut peer = serve(move || RawPeer::open(port))?;
        wait_until(|| server.has_pending_connections())?;
        let socket = server.next_pending_connection().context("there is none")?;
        let mut messages = socket.message_stream();
        let has_run = Arc::new(AtomicBool::new(false));
        let waker = Waker::from(Arc::new(RunsWhenDropped(Arc::clone(&has_run))));
        let mut poll =
            |waker: &Waker| Pin::new(&mut messages).poll_next(&mut TaskContext::from_waker(waker));
        ensure!(poll(&waker).is_pending());
        drop(waker);
        peer.send(masked(TEXT, b"hello"))?;

        let first = poll(Waker::noop());

        ensure!(has_run.load(Ordering::Relaxed));
        let message = if first.is_pending() { poll(Waker::noop()) } else { first };
        ensure!(message == Poll::Ready(Some("hello".into())), "{message:?}");
        Ok(())
    })?
}

/// Qt: `setSslConfiguration`: what rustls was given by the program is dropped with the configuration
/// that another one replaces, and may ask the object that had it.
#[cfg(feature = "tls")]
#[test]
fn a_tls_configuration_that_is_replaced_may_ask_its_object() -> Result<()> {
    use rustls::client::ResolvesClientCert;
    use rustls::server::{ClientHello, ResolvesServerCert};
    use rustls::sign::CertifiedKey;
    use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
    use slotwork::{SslMode, TlsConfig, WebSocketServer};

    use support::certificates::provider;

    struct AsksWhenDropped(Box<dyn Fn() + Send + Sync>);

    impl Drop for AsksWhenDropped {
        fn drop(&mut self) {
            (self.0)();
        }
    }

    impl std::fmt::Debug for AsksWhenDropped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("AsksWhenDropped")
        }
    }

    impl ResolvesServerCert for AsksWhenDropped {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            None
        }
    }

    impl ResolvesClientCert for AsksWhenDropped {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            None
        }

        fn has_certs(&self) -> bool {
            false
        }
    }

    in_thread(|_| {
        let count = Arc::new(AtomicU32::new(0));
        let (server, socket) = (WebSocketServer::new("s", SslMode::Secure), WebSocket::new());
        let (asked, weak) = (Arc::clone(&count), server.downgrade());
        let asks = AsksWhenDropped(Box::new(move || {
            let config = weak.upgrade().and_then(|server| server.tls_config());
            asked.fetch_add(u32::from(config.is_some()), Ordering::Relaxed);
        }));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth();
        server.set_tls_config(TlsConfig::from_server_config(
            config.clone().with_cert_resolver(Arc::new(asks)),
        ))?;
        let other = config.with_cert_resolver(Arc::new(AsksWhenDropped(Box::new(|| ()))));
        server.set_tls_config(TlsConfig::from_server_config(other))?;

        let (asked, weak) = (Arc::clone(&count), socket.downgrade());
        let asks = AsksWhenDropped(Box::new(move || {
            let config = weak.upgrade().and_then(|socket| socket.tls_config());
            asked.fetch_add(u32::from(config.is_some()), Ordering::Relaxed);
        }));
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_client_cert_resolver(Arc::new(asks));
        socket.set_tls_config(TlsConfig::from_client_config(config));
        socket.set_tls_config(TlsConfig::new());

        ensure!(count.load(Ordering::Relaxed) == 2);
        Ok(())
    })?
}

/// The waiter that a program has set is replaced when the thread's loop is made: what it captured
/// may ask for the loop.
#[test]
fn a_waiter_that_the_loop_replaces_may_ask_for_the_loop() -> Result<()> {
    struct AsksWhenDropped(Arc<AtomicBool>);

    impl Drop for AsksWhenDropped {
        fn drop(&mut self) {
            EventLoop::current().process_events();
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let has_asked = Arc::new(AtomicBool::new(false));
    let capture = AsksWhenDropped(Arc::clone(&has_asked));
    let thread = std::thread::spawn(move || {
        signals::set_waiter(move |_deadline, _is_done| _ = &capture);
        let event_loop = EventLoop::current();
        event_loop.defer_to((), |()| EventLoop::current().exit(7));
        event_loop.exec()
    });

    ensure!(thread.join().ok() == Some(7));
    ensure!(has_asked.load(Ordering::Relaxed));
    Ok(())
}

/// A generator that counts, and calls its socket whenever it runs.
struct Asking {
    socket: WeakWebSocket,
    last: u8,
}

impl Asking {
    fn new(socket: &WebSocket, last: u8) -> Self {
        Self { socket: socket.downgrade(), last }
    }

    fn ask(&self) {
        if let Some(socket) = self.socket.upgrade() {
            assert!(socket.state() != SocketState::Connecting || socket.bytes_to_write() == 0);
        }
    }
}

impl MaskGenerator for Asking {
    fn next_mask(&mut self) -> [u8; 4] {
        self.ask();
        self.last = self.last.wrapping_add(1);
        [self.last; 4]
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.ask();
    }
}

/// Opens a client's socket, and returns the other end.
fn open(socket: &WebSocket) -> Result<RawClient> {
    let server = RawServer::listen()?;
    socket.open(server.url())?;
    let client = serve(move || server.open())?;
    wait_until(|| socket.is_valid())?;
    Ok(client)
}

fn read_frames(client: &mut RawClient, count: usize) -> Result<Vec<MaskedFrame>> {
    (0..count).map(|_| client.read_frame()).collect()
}
