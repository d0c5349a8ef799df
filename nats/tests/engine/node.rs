//! A node: a server with a bridge, and a client that is in its topics.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use slotwork::signals::SignalSpy;
use slotwork::{HostAddress, Message, SslMode, WebSocket, WebSocketServer};
use slotwork_nats::{NatsBridge, NatsOptions};
use smol::Timer;
use support::{run_until, wait_until};

/// A server with a bridge and one client, all on the loop of the test.
pub(crate) struct Node {
    pub(crate) server: WebSocketServer,
    pub(crate) bridge: NatsBridge,
    /// The server's end of the client.
    pub(crate) socket: WebSocket,
    _client: WebSocket,
    /// Another client, for `link`.
    probe: WebSocket,
    _probing_client: WebSocket,
    received: Rc<RefCell<Vec<Message>>>,
}

impl Node {
    /// Starts a node that is connected.
    pub(crate) fn connected(options: NatsOptions, prefix: &str) -> Result<Self> {
        let node = Self::start(options, prefix)?;
        run_until(node.bridge.wait_connected())??;
        Ok(node)
    }

    pub(crate) fn start(options: NatsOptions, prefix: &str) -> Result<Self> {
        let bridge = NatsBridge::connect(options)?;
        let node = Self::unbridged(bridge)?;
        node.bridge.bridge_topics(&node.server, prefix)?;
        Ok(node)
    }

    /// Returns a node whose server is not bridged.
    pub(crate) fn unbridged(bridge: NatsBridge) -> Result<Self> {
        let server = WebSocketServer::new("Node", SslMode::NonSecure);
        server.listen(HostAddress::LocalHost, 0)?;
        let connections = SignalSpy::new(&server.new_connection());
        let client = WebSocket::new();
        client.open(server.server_url())?;
        let received = Rc::new(RefCell::new(Vec::new()));
        client.text_message_received().connect_to(&received, |received, _client, text| {
            received.borrow_mut().push(Message::Text(text.to_owned()));
        });
        client.binary_message_received().connect_to(&received, |received, _client, bytes| {
            received.borrow_mut().push(Message::Binary(bytes.to_vec()));
        });
        connections.wait_for(1)?;
        let socket = server.next_pending_connection().context("no connection")?;
        let probing_client = WebSocket::new();
        probing_client.open(server.server_url())?;
        connections.wait_for(2)?;
        let probe = server.next_pending_connection().context("no connection")?;
        Ok(Self {
            server,
            bridge,
            socket,
            _client: client,
            probe,
            _probing_client: probing_client,
            received,
        })
    }

    /// Subscribes the client to a topic.
    pub(crate) fn join(&self, topic: &str) -> Result<()> {
        self.server.topic(topic)?.subscribe(&self.socket)?;
        Ok(())
    }

    pub(crate) fn publish(&self, topic: &str, text: &str) -> Result<()> {
        self.server.topic(topic)?.publish_text(text);
        Ok(())
    }

    /// Waits until the client has so many messages, and takes them.
    pub(crate) fn take(&self, count: usize) -> Result<Vec<Message>> {
        wait_until(|| self.received.borrow().len() >= count)
            .with_context(|| format!("{} of {count} messages", self.received.borrow().len()))?;
        Ok(self.received.take())
    }

    /// As [`take`](Self::take), for texts.
    pub(crate) fn take_texts(&self, count: usize) -> Result<Vec<String>> {
        let messages = self.take(count)?;
        let texts = messages.iter().map(|it| it.as_text().unwrap_or("(bytes)").to_owned());
        Ok(texts.collect())
    }

    pub(crate) fn has(&self, message: &Message) -> bool {
        self.received.borrow().contains(message)
    }

    pub(crate) fn received_count(&self) -> usize {
        self.received.borrow().len()
    }
}

/// Waits until all topics that `to` has joined so far are subscribed.
///
/// Subscriptions take effect in their order: the last one is tried until a message arrives.
pub(crate) fn link(from: &Node, to: &Node) -> Result<()> {
    let (sending, receiving) = (from.server.topic("probe")?, to.server.topic("probe")?);
    let arrived = SignalSpy::new(&receiving.published());
    receiving.subscribe(&to.probe)?;
    run_until(async {
        while arrived.count() == 0 {
            sending.publish_text("probe");
            Timer::after(Duration::from_millis(5)).await;
        }
    })
}

/// Links each node with each other one.
pub(crate) fn link_all(nodes: &[&Node]) -> Result<()> {
    for to in nodes {
        for from in nodes.iter().filter(|from| !std::ptr::eq(**from, *to)) {
            link(from, to)?;
        }
    }
    Ok(())
}
