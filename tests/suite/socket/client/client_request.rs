//! The request of a client, and the values that it reads from the answer.

use anyhow::{Context, Result, ensure};
use slotwork::{ClientRequest, Error, MaskGenerator, SslMode, WebSocket, WebSocketServer};

use support::raw_peer::Frame;
use support::raw_server::{RawClient, RawServer};
use support::recorder::Recorder;
use support::serve;

/// Opens a connection with a request to a path of a raw server, which answers with more headers.
fn open(
    path: &str,
    prepare: impl FnOnce(ClientRequest) -> ClientRequest,
    more: &'static str,
) -> Result<(WebSocket, RawClient)> {
    open_socket(WebSocket::new(), path, prepare, more)
}

fn open_socket(
    socket: WebSocket,
    path: &str,
    prepare: impl FnOnce(ClientRequest) -> ClientRequest,
    more: &'static str,
) -> Result<(WebSocket, RawClient)> {
    let server = RawServer::listen()?;
    let recorder = Recorder::default();
    recorder.watch(&socket);
    let request = ClientRequest::new(format!("ws://127.0.0.1:{}{path}", server.port));
    socket.open_request(prepare(request))?;
    let client = serve(move || {
        let mut client = server.read_request()?;
        client.accept(more)?;
        Ok(client)
    })?;
    recorder.wait_for(&["Connecting", "Connected", "connected"])?;
    Ok((socket, client))
}

/// Qt: CLI-08, CLI-09; RFC 6455 §4.1.
#[test]
fn the_request_is_what_rfc_6455_asks_for() -> Result<()> {
    let (socket, client) = open("/a b/é?q=1 2#there", |request| request, "")?;

    let request = &client.request;
    ensure!(request.starts_with("GET /a%20b/%C3%A9?q=1%202 HTTP/1.1\r\n"), "{request}");
    let host = client.header("Host").context("no Host")?;
    assert_eq!(format!("ws://{host}/a%20b/%C3%A9?q=1%202"), socket.request_url());
    assert_eq!(client.header("Upgrade"), Some("websocket"));
    assert_eq!(client.header("Connection"), Some("Upgrade"));
    assert_eq!(client.header("Sec-WebSocket-Version"), Some("13"));
    let key = client.header("Sec-WebSocket-Key").context("no key")?;
    ensure!(key.len() == 24 && key.ends_with("=="), "{key}");
    for absent in ["Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Cookie"] {
        assert_eq!(client.header(absent), None);
    }
    assert_eq!(socket.resource_name(), "/a%20b/%C3%A9?q=1%202");
    Ok(())
}

/// RFC 6455 §4.1: the key is a new one for each connection, also of one socket.
#[test]
fn each_request_has_a_key_of_its_own() -> Result<()> {
    let server = RawServer::listen()?;
    let socket = WebSocket::new();
    let recorder = Recorder::default();
    recorder.watch(&socket);
    let (mut keys, mut server) = (Vec::new(), server);

    for connection in 1..=5 {
        socket.open(server.url())?;
        let (key, used) = serve(move || {
            let client = server.open()?;
            let key = client.header("Sec-WebSocket-Key").unwrap_or_default().to_owned();
            client.close(1000, "")?;
            Ok((key, server))
        })?;
        recorder.wait_for_disconnected(connection)?;
        keys.push(key);
        server = used;
    }

    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 5);
    Ok(())
}

/// Qt: CLI-08, CLI-09 (own headers), CLI-01 (origin).
#[test]
fn own_headers_and_the_origin_are_sent() -> Result<()> {
    let socket = WebSocket::new();
    socket.set_origin("https://example.org")?;

    let headers = |request: ClientRequest| {
        request.header("Authorization", "Bearer 1").header("Cookie", "a=b").header("X", "")
    };
    let (socket, client) = open_socket(socket, "/", headers, "")?;

    assert_eq!(client.header("Origin"), Some("https://example.org"));
    assert_eq!(client.header("Authorization"), Some("Bearer 1"));
    assert_eq!(client.header("Cookie"), Some("a=b"));
    assert_eq!(client.header("X").unwrap_or_default(), "");
    assert_eq!(socket.origin().as_deref(), Some("https://example.org"));
    assert_eq!(socket.request().raw_header("authorization"), Some(&b"Bearer 1"[..]));
    Ok(())
}

/// Qt: `QWebSocket::origin()`, CLI-01: what was set, before the first `open` and after it.
#[test]
fn the_origin_of_a_client_is_what_was_set() -> Result<()> {
    let socket = WebSocket::new();
    assert_eq!(socket.origin(), None);

    socket.set_origin("http://a.example")?;
    assert_eq!(socket.origin().as_deref(), Some("http://a.example"));
    let (socket, client) = open_socket(socket, "/", |request| request, "")?;
    assert_eq!(client.header("Origin"), Some("http://a.example"));
    socket.set_origin("http://b.example")?;
    assert_eq!(socket.origin().as_deref(), Some("http://b.example"));
    assert_eq!(socket.request().origin(), Some("http://a.example"));

    socket.set_origin("a\nb").unwrap_err();
    assert_eq!(socket.origin().as_deref(), Some("http://b.example"));
    socket.set_origin("")?;
    assert_eq!(socket.origin(), None);
    Ok(())
}

/// A `Cookie` that servers of other makes take, too; what is sent is for the server to limit.
#[test]
fn long_headers_are_sent() -> Result<()> {
    let cookie = "c".repeat(20_000);
    let headers = |request: ClientRequest| {
        (0..150).fold(request.header("Cookie", &*cookie), |request, _| request.header("X", "y"))
    };

    let (socket, client) = open("/", headers, "")?;

    assert_eq!(client.header("Cookie").map(str::len), Some(20_000));
    assert_eq!(client.request.matches("\nX: y\r").count(), 150);
    assert_eq!(socket.request().raw_header("Cookie").map(<[u8]>::len), Some(20_000));
    Ok(())
}

/// Qt: CLI-10, CLI-11.
#[test]
fn the_server_chooses_one_of_the_subprotocols_or_none() -> Result<()> {
    let subprotocols = |request: ClientRequest| request.subprotocols(["foo", "protocol2"]);

    let (socket, client) = open("/", subprotocols, "Sec-WebSocket-Protocol: protocol2\r\n")?;
    assert_eq!(client.header("Sec-WebSocket-Protocol"), Some("foo, protocol2"));
    assert_eq!(socket.subprotocol().as_deref(), Some("protocol2"));

    let (socket, _client) = open("/", subprotocols, "")?;
    assert_eq!(socket.subprotocol(), None);
    Ok(())
}

/// Cookies and whatever else a server sets with its answer.
#[test]
fn the_headers_of_the_answer_can_be_read() -> Result<()> {
    let more = "Set-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nServer: raw\r\n";
    let (socket, _client) = open("/", |request| request, more)?;

    let response = socket.handshake_response().context("no response")?;
    assert_eq!((response.status(), response.reason_phrase()), (101, "Switching Protocols"));
    let cookies: Vec<_> = response.raw_values("Set-Cookie").collect();
    assert_eq!(cookies, [&b"a=1; Path=/"[..], b"b=2"]);
    assert_eq!(response.header("SERVER").as_deref(), Some("raw"));
    Ok(())
}

/// Qt: CLI-12, where it is merged with the list: there is one way to name subprotocols here.
#[test]
fn subprotocols_are_no_header() {
    for name in ["Sec-WebSocket-Protocol", "sec-websocket-protocol"] {
        let request = ClientRequest::new("ws://127.0.0.1:1/").header(name, "chat");

        let error = WebSocket::new().open_request(request.subprotocols(["chat"])).err();

        assert!(matches!(error, Some(Error::InvalidHeaderName(found)) if found == name));
    }
}

/// Qt: CLI-05, CLI-10: nothing can be slipped into the request.
#[test]
fn what_no_header_can_carry_is_refused() {
    let socket = WebSocket::new();
    let request = || ClientRequest::new("ws://127.0.0.1:1/");
    let open = |request| socket.open_request(request).err();

    assert!(matches!(socket.set_origin("a\r\nX: y"), Err(Error::InvalidHeaderValue(_))));
    assert!(matches!(open(request().header("X", "a\nb")), Some(Error::InvalidHeaderValue(_))));
    assert!(matches!(open(request().header("X y", "")), Some(Error::InvalidHeaderName(_))));
    assert!(matches!(open(request().header("Host", "b")), Some(Error::InvalidHeaderName(_))));
    assert!(matches!(open(request().subprotocols(["a b"])), Some(Error::InvalidSubprotocol(_))));
    assert!(!socket.is_valid());
}

/// Qt: SND-06, MASK-01; a key of 0 masks nothing, and is sent as a key all the same.
#[test]
fn a_mask_generator_makes_the_keys() -> Result<()> {
    struct CountUp(u8);

    impl MaskGenerator for CountUp {
        fn next_mask(&mut self) -> [u8; 4] {
            let key = [self.0; 4];
            self.0 += 1;
            key
        }
    }

    let socket = WebSocket::new();
    socket.set_mask_generator(CountUp(0));
    let (socket, mut client) = open_socket(socket, "/", |request| request, "")?;
    socket.send_text_message("a");
    socket.send_text_message("b");

    let frames = serve(move || Ok([client.read_frame()?, client.read_frame()?]))?;

    assert_eq!(frames.each_ref().map(|frame| frame.key), [[0; 4], [1; 4]]);
    assert_eq!(frames.map(|frame| frame.frame), [Frame::text("a"), Frame::text("b")]);
    Ok(())
}

/// A socket that a server has accepted is none of a client.
#[test]
fn a_socket_of_a_server_cannot_be_opened() -> Result<()> {
    let server = WebSocketServer::new("Server", SslMode::NonSecure);
    server.listen(slotwork::HostAddress::LocalHost, 0)?;
    let client = WebSocket::new();
    client.open(server.server_url())?;
    support::wait_until(|| server.has_pending_connections())?;

    let socket = server.next_pending_connection().context("no socket")?;

    assert!(matches!(socket.open("ws://127.0.0.1/"), Err(Error::AlreadyOpen)));
    assert!(socket.is_valid());
    assert_eq!((socket.peer_name(), socket.subprotocol()), (String::new(), None));
    assert!(socket.handshake_response().is_none());
    Ok(())
}
