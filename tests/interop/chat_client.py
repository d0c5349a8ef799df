"""Lets people in Chromium talk with each other by examples/simplechat.html: `chat_client.py URL`.

What they do goes the way of a person: typed, clicked, and read from the page.
"""

import sys
from functools import partial

import peer
import person
from chromium import Browser, start_browser

Line = tuple[str, str, str]
"""The kind of an entry in the room, the name that it shows, and its text."""

HELPERS = """
const line = (entry) => [
  entry.classList[0],
  entry.querySelector(".name")?.checkVisibility() ? entry.querySelector(".name").textContent : "",
  (entry.querySelector(".text") ?? entry).textContent,
];
let read = 0;
"""


class Person(person.Person):
    """A person with the page open."""

    def __init__(self, browser: Browser, url: str, name: str) -> None:
        super().__init__(browser, "simplechat.html", url, name)
        self.name = f"chat: {name}"
        self._page.evaluate(HELPERS)

    def connect(self) -> Line:
        """Presses the button; returns the line that says so."""
        self._press_connect()
        return self.next_line()

    def disconnect(self) -> None:
        """Presses the button again."""
        self._press_connect()

    def say(self, text: str) -> Line:
        """Types a message and presses Enter; returns the line that then stands in the room."""
        super().say(text)
        return self.next_line()

    def rename(self, name: str) -> None:
        """Types another nickname, and goes on to another field."""
        self._page.evaluate("document.querySelector('#nickname').select()")
        self._page.type(name)
        self._page.click("#message")

    def next_line(self) -> Line:
        """Waits for the next line that was not read yet."""
        self._page.evaluate("await until(() => document.querySelectorAll('#room li')[read])")
        return tuple(self._page.evaluate("line(document.querySelectorAll('#room li')[read++])"))

    def state(self) -> str:
        """Returns what the page says of its connection."""
        return self._page.evaluate("document.querySelector('#status').textContent")

    def lose_connection(self) -> Line:
        """Ends the connection, which the page opens again; returns the line that says so."""
        self._page.evaluate("read = document.querySelectorAll('#room li').length")
        self._page.evaluate("socket.close(4001)")
        # Lines of others may still arrive before it.
        while not self.next_line()[2].startswith("Disconnected"):
            pass
        return self.next_line()

    def go_away(self) -> None:
        """Opens another page in the same window."""
        self._page.open("about:blank")

    def _press_connect(self) -> None:
        self._page.click("#connect")


def run(browser: Browser, url: str) -> int:
    """Lets them meet, talk and go; returns how many cases failed."""
    alice, bob, carol, dave = (
        Person(browser, url, name) for name in ("alice", "bob", "carol", "dave")
    )
    markup = '<img src=x onerror="document.body.remove()">'
    connected = ("note", "", f"Connected to {url}")
    failed = 0
    for person, name, expected, action in (
        (alice, "connects", connected, alice.connect),
        (alice, "says that it is connected", "Connected", alice.state),
        (bob, "connects", connected, bob.connect),
        (alice, "is told who joins", ("note", "", "bob joined"), alice.next_line),
        (alice, "shows what is said", ("own", "", "hi: all"), partial(alice.say, "hi: all")),
        (bob, "hears it, with the name", ("other", "alice", "hi: all"), bob.next_line),
        (bob, "answers", ("own", "", "Grüße 🦀"), partial(bob.say, "Grüße 🦀")),
        (alice, "hears the answer, not itself", ("other", "bob", "Grüße 🦀"), alice.next_line),
        (bob, "answers again", ("own", "", "and more"), partial(bob.say, "and more")),
        (alice, "shows the name once", ("other", "", "and more"), alice.next_line),
        (bob, "says what could be markup", ("own", "", markup), partial(bob.say, markup)),
        (alice, "shows markup as it is", ("other", "", markup), alice.next_line),
        (bob, "takes another name", None, partial(bob.rename, "rob:ert")),
        (alice, "is told of the name", ("note", "", "bob is now robert"), alice.next_line),
        (carol, "connects", connected, carol.connect),
        (alice, "is told who joins", ("note", "", "carol joined"), alice.next_line),
        (dave, "connects", connected, dave.connect),
        (alice, "is told who joins", ("note", "", "dave joined"), alice.next_line),
        (bob, "disconnects", None, bob.disconnect),
        (alice, "is told who disconnects", ("note", "", "robert left"), alice.next_line),
        (carol, "loses the connection and is connected again", connected, carol.lose_connection),
        (alice, "is told of it", ("note", "", "carol joined"), alice.next_line),
        (carol, "goes to another page", None, carol.go_away),
        (alice, "is told who goes", ("note", "", "carol left"), alice.next_line),
        (dave, "closes the window", None, dave.close),
        (alice, "is told who closes it", ("note", "", "dave left"), alice.next_line),
    ):
        failed += peer.check(person, name, expected, action)
    return failed


if __name__ == "__main__":
    with start_browser(peer.DEADLINE) as chromium:
        failures = run(chromium, sys.argv[1])
    sys.exit(failures > 0)
