"""Headless Chromium, driven by its DevTools protocol."""

import base64
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from websockets.sync.client import ClientConnection, connect

COMMAND = (
    os.environ.get("CHROMIUM", "chromium"),
    "--headless",
    "--no-sandbox",  # Chromium's sandbox does not start as root.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


class Browser:
    """A browser with a profile of its own."""

    def __init__(self, connection: ClientConnection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._calls = 0
        # Errors of WebSockets, reported by the pages that listen to their network.
        self.socket_errors: list[str] = []

    def open_page(self, url: str) -> "Page":
        """Opens a page in a window of its own, which shares nothing with the others."""
        context = self.call("Target.createBrowserContext")
        tab = self.call("Target.createTarget", url="about:blank", newWindow=True, **context)
        return Page(self, tab["targetId"], url)

    def call(self, method: str, session: str | None = None, **parameters: object) -> Any:
        """Calls a method of the protocol, for the whole browser or in the session of a page."""
        self._calls += 1
        call = {"id": self._calls, "method": method, "params": parameters}
        self._connection.send(json.dumps({**call, "sessionId": session} if session else call))
        answer: dict[str, Any] = {}
        while answer.get("id") != self._calls:  # Else an event, or an answer that came too late.
            answer = json.loads(self._connection.recv(self._deadline))
            if answer.get("method") == "Network.webSocketFrameError":
                self.socket_errors.append(answer["params"]["errorMessage"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]


class Page:
    """A page in a window of its own."""

    def __init__(self, browser: Browser, target: str, url: str) -> None:
        self._browser = browser
        self._target = target
        session = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = session["sessionId"]
        self.open(url)

    def open(self, url: str) -> None:
        """Goes to another page in the same window, and waits until it is loaded."""
        self._call("Page.navigate", url=url)
        self.evaluate("""
            if (document.readyState !== "complete") {
                await new Promise((done) => addEventListener("load", done));
            }
        """)

    def close(self) -> None:
        """Closes the window."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def look_like(self, width: int, height: int, scheme: str) -> None:
        """Sets the size of the page in pixels, and the colors (`light`, `dark`) that users prefer."""
        size = {"width": width, "height": height}
        self._call("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, mobile=False, **size)
        scheme_feature = {"name": "prefers-color-scheme", "value": scheme}
        self._call("Emulation.setEmulatedMedia", features=[scheme_feature])

    def screenshot(self) -> bytes:
        """Returns what the page looks like, as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def evaluate(self, script: str) -> Any:
        """Runs a script, which may await, in the page; returns its last value."""
        answer = self._call(
            "Runtime.evaluate",
            expression=script,
            replMode=True,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]["exception"]))
        return answer["result"].get("value")

    def listen_to_network(self) -> None:
        """Lets the browser report WebSockets of this page that fail: `Browser.socket_errors`."""
        self._call("Network.enable")

    def click(self, selector: str) -> None:
        """Clicks on the middle of an element."""
        box = self.evaluate(
            f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
        )
        middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **middle)

    def type(self, text: str) -> None:
        """Types a text into the element that has the focus."""
        self._call("Input.insertText", text=text)

    def press_enter(self) -> None:
        """Presses Enter in the element that has the focus."""
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, **enter)

    def _call(self, method: str, **parameters: object) -> Any:
        return self._browser.call(method, self._session, **parameters)


@contextmanager
def start_browser(deadline: float, home: str | None = None) -> Iterator[Browser]:
    """Starts Chromium with a new profile; ends it with the block.

    `deadline` is how long each call may take, in seconds; `home` is where the certificates are that
    the user trusts.
    """
    with tempfile.TemporaryDirectory(prefix="slotwork-", ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [*COMMAND, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | ({"HOME": home} if home else {}),
        )
        try:
            with connect(_devtools_url(browser.stderr), proxy=None, max_size=None) as connection:
                yield Browser(connection, deadline)
        finally:
            browser.terminate()
            browser.wait(deadline)


def _devtools_url(output: IO[str]) -> str:
    words = []
    for line in output:
        if line.startswith("DevTools listening on "):
            # Read on: Chromium would block once the pipe is full.
            threading.Thread(target=output.read, daemon=True).start()
            return line.split()[-1]
        words.append(line)
    raise RuntimeError(f"Chromium did not start: {''.join(words)}")
