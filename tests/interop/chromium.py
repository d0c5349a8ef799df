"""Headless Chromium with one page, driven by its DevTools protocol."""

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


class Page:
    """A page in a tab of its own."""

    def __init__(self, connection: ClientConnection, url: str, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._calls = 0
        self._session: dict[str, str] = {}
        tab = self._call("Target.createTarget", url="about:blank")
        session = self._call("Target.attachToTarget", flatten=True, **tab)
        self._session = {"sessionId": session["sessionId"]}
        self._call("Page.navigate", url=url)
        self.evaluate("""
            if (document.readyState !== "complete") {
                await new Promise((done) => addEventListener("load", done));
            }
        """)

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
        self._calls += 1
        call = {"id": self._calls, "method": method, "params": parameters, **self._session}
        self._connection.send(json.dumps(call))
        answer: dict[str, Any] = {}
        while answer.get("id") != self._calls:  # Else an event, or an answer that came too late.
            answer = json.loads(self._connection.recv(self._deadline))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]


@contextmanager
def open_page(url: str, deadline: float) -> Iterator[Page]:
    """Starts Chromium with a new profile and opens the page; ends it with the block.

    `deadline` is how long each call may take, in seconds.
    """
    with tempfile.TemporaryDirectory(prefix="slotwork-", ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [*COMMAND, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            with connect(_devtools_url(browser.stderr), proxy=None, max_size=None) as connection:
                yield Page(connection, url, deadline)
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
