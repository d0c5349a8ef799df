"""What a peer can do, and the run that takes it through all cases.

A peer is a WebSocket client that is not ours. Each result is one line, `ok - …` or `not ok - …`,
with what was seen.
"""

import abc
import os.path
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import cases
from cases import Close, Message, Payload

T = TypeVar("T")

DEADLINE = 30.0
"""How long a peer waits for one event before the case fails, in seconds."""


@dataclass(frozen=True)
class Opening:
    """What a client asks for."""

    url: str
    subprotocols: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    """The `Origin` header; an empty one is left to the peer."""


class Peer(abc.ABC):
    """A WebSocket client with one connection at a time."""

    name: str
    compression: str = ""
    """The name of the servers' compression, if they compress."""
    cannot: Mapping[str, str] = {}
    """What the peer has no way to do, and why.

    It is "fragment", "split characters", "ping", "header", "compression" or "traffic".
    """

    @abc.abstractmethod
    def open(self, opening: Opening) -> None:
        """Connects to a server, leaving an earlier connection that a failure left open."""

    @abc.abstractmethod
    def subprotocol(self) -> str:
        """Returns the subprotocol that the server has chosen, or an empty string."""

    @abc.abstractmethod
    def send(self, payload: Payload) -> None:
        """Sends one message; a `str` as text, `bytes` as binary."""

    @abc.abstractmethod
    def receive(self) -> Payload:
        """Returns the next message, in the type it arrived as."""

    @abc.abstractmethod
    def close(self, code: int, reason: str) -> Close:
        """Closes the connection; returns the code and the reason that the peer's API reports."""

    @abc.abstractmethod
    def ending(self) -> Close:
        """Waits until the server has closed the connection; returns its code and its reason."""

    def send_fragmented(self, payload: Payload, size: int) -> None:
        """Sends one message in frames of at most `size` bytes."""
        raise NotImplementedError

    def ping(self, payload: bytes) -> bytes:
        """Sends a ping; returns the payload of the pong."""
        raise NotImplementedError

    def extensions(self) -> str:
        """Returns the extensions that were agreed on, as the header has them."""
        raise NotImplementedError

    def traffic(self) -> tuple[int, int]:
        """Returns the bytes of the messages received and sent so far, as they are on the wire."""
        raise NotImplementedError

    def refusal(self, opening: Opening) -> int:
        """Asks for what is refused; returns the HTTP status of the answer."""
        raise NotImplementedError


def run(peer: Peer, url: str) -> int:
    """Takes the peer through all cases of an echo server; returns how many failed."""
    failed = 0
    opening = Opening(url)
    fragmented = unless_cannot(peer, "fragment", cases.FRAGMENTED_MESSAGES)
    # What is beyond the sizes of frames has nothing to do with compression, and takes long.
    largest = cases.MIB if peer.compression else sys.maxsize
    messages = (*cases.MESSAGES, *fragmented)
    for message in (message for message in messages if len(message.payload) <= largest):
        name = f"echoes {message.name}"
        failed += check(peer, name, message.payload, partial(_echo, peer, opening, message))

    name = f"echoes {len(cases.BURST)} messages in order"
    failed += check(peer, name, cases.BURST, partial(_echo_burst, peer, opening))

    for name, payload in unless_cannot(peer, "ping", tuple(cases.PINGS.items())):
        failed += check(peer, f"answers {name}", payload, partial(_ping, peer, opening, payload))

    for close in cases.CLOSES:
        name = f"closes with {brief(close)}"
        failed += check(peer, name, close, partial(_open_and_close, peer, opening, *close))
    return failed


def check(peer: Peer, name: str, expected: object, action: Callable[[], object]) -> bool:
    """Prints how one case went; returns whether it failed."""
    try:
        seen = action()
    except Exception as error:  # A stack may raise anything; the other cases still run.
        problem = " ".join(f"{type(error).__name__}: {error}".split())
    else:
        problem = "" if seen == expected else _difference(expected, seen)
    if problem:
        print(f"not ok - {peer.name}: {name}: {problem}", flush=True)
    else:
        print(f"ok - {peer.name}: {name}: saw {brief(seen)}", flush=True)
    return bool(problem)


def brief(value: object) -> str:
    """Returns the value as Python writes it, with its size where that is cut short."""
    text = repr(value)
    if len(text) <= 60:
        return text
    unit = {str: "characters", bytes: "bytes"}.get(type(value), "items")
    return f"{text[:50]}… ({len(value)} {unit})" if hasattr(value, "__len__") else f"{text[:50]}…"


def _difference(expected: object, seen: object) -> str:
    text = f"expected {brief(expected)}, saw {brief(seen)}"
    if type(seen) is type(expected) and isinstance(seen, Payload):
        text += f", different from index {len(os.path.commonprefix([expected, seen]))}"
    return text


def unless_cannot(peer: Peer, ability: str, items: tuple[T, ...]) -> tuple[T, ...]:
    """Returns the cases, or says why the peer cannot be asked for them."""
    if ability not in peer.cannot:
        return items
    print(f"# {peer.name}: {len(items)} cases left out: {peer.cannot[ability]}", flush=True)
    return ()


def _echo(peer: Peer, opening: Opening, message: Message) -> Payload:
    peer.open(opening)
    if message.fragment_size:
        peer.send_fragmented(message.payload, message.fragment_size)
    else:
        peer.send(message.payload)
    seen = peer.receive()
    peer.close(1000, "")
    return seen


def _echo_burst(peer: Peer, opening: Opening) -> tuple[Payload, ...]:
    peer.open(opening)
    for payload in cases.BURST:
        peer.send(payload)
    seen = tuple(peer.receive() for _ in cases.BURST)
    peer.close(1000, "")
    return seen


def _ping(peer: Peer, opening: Opening, payload: bytes) -> bytes:
    peer.open(opening)
    seen = peer.ping(payload)
    peer.close(1000, "")
    return seen


def _open_and_close(peer: Peer, opening: Opening, code: int, reason: str) -> Close:
    peer.open(opening)
    return peer.close(code, reason)
