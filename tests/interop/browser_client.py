"""Takes examples/echoclient.html in Chromium through the cases: `browser_client.py URL`.

Short texts go the way of a person: typed into the page's input, sent with its button, read from its
log. What nobody can type goes through the page's own socket.
"""

import base64
import json
import sys
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import peer
from cases import Close, Payload
from chromium import Page, open_page

ECHO_CLIENT = Path(__file__).resolve().parents[2] / "examples" / "echoclient.html"

# Beside the page's own script; `socket` is the page's.
HELPERS = """
let messages, ending;
const until = (look) => new Promise((done) => {
  const check = () => {
    const seen = look();
    if (!seen) return;
    observer.disconnect();
    done(seen);
  };
  const observer = new MutationObserver(check);
  observer.observe(document, { attributes: true, childList: true, subtree: true });
  check();
});
const entries = (kind) => document.querySelectorAll(`#log .${kind} .entry`);
const messagesOf = (socket) => new ReadableStream({
  start: (stream) => {
    socket.addEventListener("message", ({ data }) => stream.enqueue(data));
    socket.addEventListener("close", ({ code, reason }) => stream.error(`closed: ${code} ${reason}`));
  },
}).getReader();
const closeOf = (socket) => new Promise((done) => {
  socket.addEventListener("close", ({ code, reason }) => done([code, reason]));
});
"""


class BrowserPeer(peer.Peer):
    """The page's own WebSocket, and the page around it."""

    name = "browser"
    cannot = {
        "fragment": "a page cannot choose the frames of its messages",
        "ping": "a page cannot send pings",
    }

    def __init__(self, page: Page) -> None:
        self._page = page
        self._typed = False
        page.evaluate(HELPERS)

    def open(self) -> None:
        self._page.click("#connect")
        self._page.evaluate("""
            await until(() => document.querySelector("#status[data-state=OPEN]"));
            document.querySelector("#log").replaceChildren();
            messages = messagesOf(socket);
            ending = closeOf(socket);
        """)

    def send(self, payload: Payload) -> None:
        self._typed = isinstance(payload, str) and _can_be_typed(payload)
        if isinstance(payload, bytes):
            content = base64.b64encode(payload).decode()
            self._page.evaluate(f"socket.send(Uint8Array.fromBase64('{content}'))")
        elif self._typed:
            self.type(payload)
            self.press("#send")
        else:
            self._page.evaluate(f"socket.send({json.dumps(payload)})")

    def receive(self) -> Payload:
        if self._typed:
            return self.log_entry("received")
        message = self._page.evaluate("""
            const { value } = await messages.read();
            typeof value === "string" ? { text: value } : { base64: new Uint8Array(value).toBase64() }
        """)
        return message["text"] if "text" in message else base64.b64decode(message["base64"])

    def close(self, code: int, reason: str) -> Close:
        script = f"socket.close({code}, {json.dumps(reason)}); await ending"
        return tuple(self._page.evaluate(script))

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

    def choose_binary(self) -> None:
        """Lets the page send what is typed as binary messages from now on."""
        self._page.evaluate("document.querySelector('#kind').value = 'binary'")


def run(browser: BrowserPeer) -> int:
    """Takes the page through all cases, then through its own; returns how many failed."""
    failed = peer.run(browser)
    for name, expected, action in (
        ("Enter sends and empties the input", ("typed", ""), _send_with_enter),
        ("State is logged", "State: 1 (OPEN)", _ask_for_state),
        ("Disconnect closes", "Disconnected: 1000 normal closure", _disconnect),
        ("close code and reason are logged", 'Disconnected: 4001, "bye"', _close),
        ("binary is sent and counted", "3 bytes: 61 62 63", _send_binary),
    ):
        failed += peer.check(browser, name, expected, partial(action, browser))
    return failed


def _send_with_enter(browser: BrowserPeer) -> tuple[str, str]:
    browser.open()
    browser.type("typed")
    browser.press_enter()
    return browser.log_entry("received"), browser.input_value()


def _ask_for_state(browser: BrowserPeer) -> str:
    browser.open()
    browser.press("#state")
    return browser.log_entry("note")


def _disconnect(browser: BrowserPeer) -> str:
    browser.open()
    browser.press("#disconnect")
    return browser.log_entry("note")


def _close(browser: BrowserPeer) -> str:
    browser.open()
    browser.close(4001, "bye")
    return browser.log_entry("note")


def _send_binary(browser: BrowserPeer) -> str:
    browser.open()
    browser.choose_binary()
    browser.type("abc")
    browser.press("#send")
    return browser.log_entry("received")


def _can_be_typed(text: str) -> bool:
    return len(text) < 1000 and min(text, default=" ") >= " "


if __name__ == "__main__":
    address = f"{ECHO_CLIENT.as_uri()}?{urlencode({'url': sys.argv[1]})}"
    with open_page(address, peer.DEADLINE) as page:
        failures = run(BrowserPeer(page))
    sys.exit(failures > 0)
