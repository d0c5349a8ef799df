"""Takes examples/echoclient.html in Chromium through the cases.

`browser_client.py ECHO_URL [COMMAND_URL [COMPRESSION]]`.

Short texts go the way of a person: typed into the page's input, sent with its button, read from its
log. What cannot be typed goes through the page's own socket.
"""

import base64
import json
import sys
from functools import partial

import commands
import pages
import peer
from cases import ALL_BYTES, Close, Payload
from chromium import Page, start_browser

# Beside the page's own script; `socket` is the page's.
HELPERS = f"const UNIT = {len(ALL_BYTES)};" + pages.UNTIL + """
let messages, ending;
const entries = (kind) => document.querySelectorAll(`#log .${kind} .entry`);
const messagesOf = (socket) => new ReadableStream({
  start: (stream) => {
    socket.addEventListener("message", ({ data }) => stream.enqueue(data));
    socket.addEventListener("close", ({ code, reason }) => stream.error(`closed: ${code} ${reason}`));
  },
}).getReader();
// Big messages are repetitions, and only what is repeated goes through the browser's protocol.
const repeated = (unit, times) => {
  const bytes = new Uint8Array(unit.length * times);
  for (let at = 0; at < bytes.length; at += unit.length) bytes.set(unit, at);
  return bytes;
};
const described = (value) => {
  if (typeof value === "string") return { text: value };
  const bytes = new Uint8Array(value);
  const unit = bytes.subarray(0, UNIT);
  const isRepeated = bytes.length % UNIT === 0 && bytes.every((byte, at) => byte === unit[at % UNIT]);
  return isRepeated && bytes.length
    ? { base64: unit.toBase64(), times: bytes.length / UNIT }
    : { base64: bytes.toBase64(), times: 1 };
};
const closeOf = (socket) => new Promise((done) => {
  socket.addEventListener("close", ({ code, reason }) => done([code, reason]));
});
// The page asks for no subprotocol by itself. What comes at once is not missed.
const PlainWebSocket = WebSocket;
const asking = (subprotocols) => class extends PlainWebSocket {
  constructor(url) {
    super(url, subprotocols);
    messages = messagesOf(this);
    ending = closeOf(this);
  }
};
"""


class BrowserPeer(peer.Peer):
    """The page's own WebSocket, and the page around it."""

    name = "browser"
    cannot = {
        "fragment": "a page cannot choose the frames of its messages",
        "ping": "a page cannot send pings",
        "header": "a page cannot choose its headers",
        "traffic": "a page does not see its frames",
    }

    def __init__(self, page: Page) -> None:
        self._page = page
        self._typed = False
        page.evaluate(HELPERS)

    def open(self, opening: peer.Opening) -> None:
        self._connect(opening)
        self._page.evaluate("""
            await until(() => document.querySelector("#status[data-state=OPEN]"));
            document.querySelector("#log").replaceChildren();
        """)

    def subprotocol(self) -> str:
        return self._page.evaluate("socket.protocol")

    def extensions(self) -> str:
        return self._page.evaluate("socket.extensions")

    def send(self, payload: Payload) -> None:
        self._typed = isinstance(payload, str) and _can_be_typed(payload)
        if isinstance(payload, bytes):
            unit, times = _unit_of(payload)
            content = base64.b64encode(unit).decode()
            self._page.evaluate(f"socket.send(repeated(Uint8Array.fromBase64('{content}'), {times}))")
        elif self._typed:
            self.type(payload)
            self.press("#send")
        else:
            self._page.evaluate(f"socket.send({json.dumps(payload)})")

    def receive(self) -> Payload:
        message = self._page.evaluate("described((await messages.read()).value)")
        if self._typed:
            return self._page.evaluate("[...entries('received')].at(-1).textContent")
        if "text" in message:
            return message["text"]
        return base64.b64decode(message["base64"]) * message["times"]

    def close(self, code: int, reason: str) -> Close:
        script = f"socket.close({code}, {json.dumps(reason)}); await ending"
        return tuple(self._page.evaluate(script))

    def ending(self) -> Close:
        return tuple(self._page.evaluate("await ending"))

    def wait_for_failure(self, url: str) -> Close:
        """Connects to a server that refuses; returns the reported code and reason."""
        self._connect(peer.Opening(url))
        return self.ending()

    def _connect(self, opening: peer.Opening) -> None:
        self._disconnect()
        self._page.evaluate(f"""
            document.querySelector("#url").value = {json.dumps(opening.url)};
            WebSocket = asking({json.dumps(opening.subprotocols)});
        """)
        self._page.click("#connect")

    def _disconnect(self) -> None:
        """Ends an earlier connection, and attempts to connect again."""
        self._page.evaluate("""
            const ended = socket?.readyState < WebSocket.CLOSED && closeOf(socket);
            disconnect();
            await ended;
        """)

    def can_connect(self) -> bool:
        """Returns whether the page lets its user connect."""
        return self._page.evaluate("!document.querySelector('#connect').disabled")

    def type(self, text: str) -> None:
        """Types a text into the page's message input."""
        self._page.click("#message")
        self._page.type(text)

    def press(self, button: str) -> None:
        """Presses one of the page's buttons."""
        self._page.click(button)

    def press_enter(self) -> None:
        """Presses Enter in the page's message input."""
        self._page.press_enter()

    def log_entry(self, kind: str) -> str:
        """Returns the first entry of its kind that the log shows since `open`."""
        return self._page.evaluate(f"(await until(() => entries('{kind}')[0])).textContent")

    def input_value(self) -> str:
        """Returns what stands in the page's message input."""
        return self._page.evaluate("document.querySelector('#message').value")

    def traffic(self) -> str:
        """Returns the message counts that the page shows, without the time."""
        return self._page.evaluate("document.querySelector('#traffic').textContent.replace(/[.0-9]+ ms/, 'T ms')")

    def lose_connection(self) -> list[str]:
        """Ends the connection with 4001; returns the page's next states."""
        return self._page.evaluate("""
            socket.close(4001);
            const states = ["WAITING", "OPEN"];
            for (const state of states) {
                await until(() => document.querySelector(`#status[data-state=${state}]`));
            }
            states
        """)

    def look_for_server(self, url: str) -> tuple[str, str]:
        """Connects where no server is, and gives up; returns the page's advice and last state."""
        self._disconnect()
        self._page.evaluate(f"""
            document.querySelector("#log").replaceChildren();
            document.querySelector("#url").value = {json.dumps(url)};
        """)
        self._page.click("#connect")
        return tuple(self._page.evaluate("""
            await until(() => document.querySelector("#status[data-state=WAITING]"));
            const advice = [...entries("note")].at(-1).textContent;
            document.querySelector("#disconnect").click();
            [advice.match(/cargo run --example \\w+/)[0], document.querySelector("#status").textContent]
        """))

    def remembered(self) -> str:
        """Returns the server with which the page would begin the next time."""
        return self._page.evaluate("stored()")

    def choose_binary(self) -> None:
        """Lets the page send what is typed as binary messages from now on."""
        self._page.evaluate("document.querySelector('#kind').value = 'binary'")


def run(browser: BrowserPeer, url: str) -> int:
    """Takes the page through the cases of its own; returns how many failed."""
    failed = 0
    opening = peer.Opening(url)
    for name, expected, action in (
        ("Enter sends and empties the input", ("typed", ""), _send_with_enter),
        ("Send with an empty box says so", "Nothing to send: the message is empty", _send_nothing),
        ("Connect waits for the end of a connection", (False, True), _look_at_connect),
        ("State is logged", "State: 1 (OPEN)", _ask_for_state),
        ("Disconnect closes", "Disconnected: 1000 normal closure", _disconnect),
        ("close code and reason are logged", 'Disconnected: 4001, "bye"', _close),
        ("binary is sent and counted", "3 bytes: 61 62 63", _send_binary),
        ("a lost connection is opened again", ["WAITING", "OPEN"], _lose_connection),
        ("messages are counted", "1 sent, 1 received, last round trip T ms", _count),
        ("names the program to start", ("cargo run --example echoserver", "Not connected"), _look_for_server),
        ("remembers the server", url, _remember),
    ):
        failed += peer.check(browser, name, expected, partial(action, browser, opening))
    return failed


def _send_with_enter(browser: BrowserPeer, opening: peer.Opening) -> tuple[str, str]:
    browser.open(opening)
    browser.type("typed")
    browser.press_enter()
    return browser.log_entry("received"), browser.input_value()


def _send_nothing(browser: BrowserPeer, opening: peer.Opening) -> str:
    browser.open(opening)
    browser.press("#send")
    return browser.log_entry("note")


def _look_at_connect(browser: BrowserPeer, opening: peer.Opening) -> tuple[bool, bool]:
    browser.open(opening)
    can_connect = browser.can_connect()
    browser.close(1000, "")
    return can_connect, browser.can_connect()


def _ask_for_state(browser: BrowserPeer, opening: peer.Opening) -> str:
    browser.open(opening)
    browser.press("#state")
    return browser.log_entry("note")


def _disconnect(browser: BrowserPeer, opening: peer.Opening) -> str:
    browser.open(opening)
    browser.press("#disconnect")
    return browser.log_entry("note")


def _close(browser: BrowserPeer, opening: peer.Opening) -> str:
    browser.open(opening)
    browser.close(4001, "bye")
    return browser.log_entry("note")


def _send_binary(browser: BrowserPeer, opening: peer.Opening) -> str:
    browser.open(opening)
    browser.choose_binary()
    browser.type("abc")
    browser.press("#send")
    return browser.log_entry("received")


def _lose_connection(browser: BrowserPeer, opening: peer.Opening) -> list[str]:
    browser.open(opening)
    return browser.lose_connection()


def _count(browser: BrowserPeer, opening: peer.Opening) -> str:
    browser.open(opening)
    browser.type("abc")
    browser.press("#send")
    browser.log_entry("received")
    return browser.traffic()


def _look_for_server(browser: BrowserPeer, _opening: peer.Opening) -> tuple[str, str]:
    return browser.look_for_server("ws://127.0.0.1:1")


def _remember(browser: BrowserPeer, _opening: peer.Opening) -> str:
    return browser.remembered()


def _unit_of(payload: bytes) -> tuple[bytes, int]:
    """Returns what the payload consists of, and how many times."""
    times = len(payload) // len(ALL_BYTES)
    return (ALL_BYTES, times) if times and payload == ALL_BYTES * times else (payload, 1)


def _can_be_typed(text: str) -> bool:
    return 0 < len(text) < 1000 and min(text) >= " "


def run_commands(browser: BrowserPeer, strange: BrowserPeer, url: str) -> int:
    """Takes a page that may connect and one that may not to the server that knows commands."""
    failed = commands.run(browser, url)
    # RFC 6455 §7.1.5, §10.2: scripts do not get the reason.
    action = partial(strange.wait_for_failure, url)
    return failed + peer.check(strange, "is refused as a page of no origin", (1006, ""), action)


if __name__ == "__main__":
    echo_url, *command_urls = sys.argv[1:3]
    compression = sys.argv[3:]
    with start_browser(peer.DEADLINE) as chromium, pages.serve() as address:
        if compression:
            # The server that compresses knows commands, and takes no page of a local file.
            page = BrowserPeer(chromium.open_page(f"{address}/echoclient.html"))
            sys.exit(commands.run_all(page, *sys.argv[1:]) > 0)
        # A local file has no origin, which an echo server without an origin policy accepts.
        file = BrowserPeer(chromium.open_page(pages.local("echoclient.html")))
        failures = peer.run(file, echo_url) + run(file, echo_url)
        for command_url in command_urls:
            page = BrowserPeer(chromium.open_page(f"{address}/echoclient.html"))
            failures += run_commands(page, file, command_url)
    sys.exit(failures > 0)
