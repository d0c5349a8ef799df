"""Lets people in Chromium meet in the rooms of examples/rooms.html: `rooms_client.py URL`."""

import json
import sys
from functools import partial

import peer
import person
from chromium import Browser, start_browser

HELPERS = """
const texts = (selector) => [...document.querySelectorAll(selector)].map((it) => it.textContent);
"""


class Person(person.Person):
    """A person with the page open."""

    def __init__(self, browser: Browser, url: str, name: str) -> None:
        super().__init__(browser, "rooms.html", url, name)
        self.name = f"rooms: {name}"
        self._page.evaluate(HELPERS)

    def wait_for(self, selector: str, expected: list[str]) -> list[str]:
        """Waits until the elements have these texts, and returns them."""
        condition = f"JSON.stringify(texts({json.dumps(selector)})) === {json.dumps(compact(expected))}"
        self._page.evaluate(f"await until(() => {condition})")
        return expected

    def enter(self, room: str) -> None:
        """Clicks on a room."""
        self._page.click(f'[data-room="{room}"]')

    def lose_connection(self) -> None:
        """Ends the connection; the page opens another one."""
        self._page.evaluate("socket.close()")

    def is_narrow(self, scheme: str) -> bool:
        """Returns whether the page fits on a phone."""
        self._page.look_like(360, 640, scheme)
        return self._page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def compact(texts: list[str]) -> str:
    """Returns the texts as `JSON.stringify` shows them."""
    return json.dumps(texts, separators=(",", ":"), ensure_ascii=False)


def run(browser: Browser, url: str) -> int:
    """Lets them meet, talk and go; returns how many cases failed."""
    ada, bob = (Person(browser, url, name) for name in ("Ada", "Bob"))
    eve = Person(browser, "localhost:1234", "Eve")
    people, log, rooms, status = "#people li", "#log .text", "#rooms button", "#status"
    markup = "<img src=x onerror=alert(1)>"
    both, connected = ["Ada", "Bob"], ["Connected"]
    last = ["Grüße 🦀", markup]

    def wait(person: Person, selector: str, expected: list[str]) -> tuple:
        return (expected, partial(person.wait_for, selector, expected))

    failed = 0
    for person, name, (expected, action) in (
        (ada, "connects", wait(ada, status, connected)),
        (ada, "sees the people", wait(ada, people, both)),
        (ada, "sees the rooms", wait(ada, rooms, ["Lobby2", "Rust0", "Qt0", "Off topic0"])),
        (ada, "says something", (None, partial(ada.say, last[0]))),
        (bob, "receives it", wait(bob, log, last[:1])),
        (bob, "says what could be markup", (None, partial(bob.say, markup))),
        (ada, "shows markup as it is", wait(ada, log, last)),
        (bob, "enters another room", (None, partial(bob.enter, "Rust"))),
        (bob, "is alone there", wait(bob, people, ["Bob"])),
        (bob, "sees an empty log", wait(bob, log, [])),
        (ada, "sees that the other one has left", wait(ada, people, ["Ada"])),
        (bob, "comes back", (None, partial(bob.enter, "Lobby"))),
        (bob, "sees the last messages", wait(bob, log, last)),
        (bob, "loses the connection", (None, bob.lose_connection)),
        (ada, "sees that the other one is back", wait(ada, people, both)),
        (bob, "is connected again", wait(bob, status, connected)),
        (bob, "sees the last messages again", wait(bob, log, last)),
        (ada, "fits on a phone", (True, partial(ada.is_narrow, "light"))),
        (ada, "fits on a phone in dark mode", (True, partial(ada.is_narrow, "dark"))),
        (bob, "closes the window", (None, bob.close)),
        (ada, "is alone", wait(ada, people, ["Ada"])),
        (eve, "sees that the address is wrong", wait(eve, status, ["Not connected"])),
    ):
        failed += peer.check(person, name, expected, action)
    return failed


if __name__ == "__main__":
    with start_browser(peer.DEADLINE) as chromium:
        failures = run(chromium, sys.argv[1])
    sys.exit(failures > 0)
