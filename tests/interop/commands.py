"""What a server that knows commands (`server.rs`) lets every peer see."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cases
import peer
from cases import Payload
from peer import Opening, Peer


def run_all(
    client: Peer, echo_url: str, command_url: str | None = None, compression: str = ""
) -> int:
    """Takes the peer through the cases of both servers; returns how many failed.

    `compression` names that of the servers, if they compress.
    """
    if compression:
        client.name += f" ({compression})"
        client.compression = compression
    failed = peer.run(client, echo_url)
    return failed + run(client, command_url) if command_url else failed


def run(client: Peer, url: str) -> int:
    """Takes the peer through all cases of the server; returns how many failed."""
    opening = Opening(url)
    failed = 0
    for name, expected, action in (
        *_openings(opening),
        *_compression(client, opening),
        *peer.unless_cannot(client, "header", tuple(_headers(opening))),
        *_frames(client, opening),
        *_endings(opening),
        ("answers a ping of the server", "are you there?", _asker(opening, "ping are you there?")),
    ):
        failed += peer.check(client, name, expected, partial(action, client))
    return failed


Case = tuple[str, object, Callable[[Peer], object]]


def _openings(opening: Opening) -> list[Case]:
    below = replace(opening, url=opening.url.rstrip("/") + "/a%20b/%C3%A9?q=1&r=a%2Fb")
    offering = replace(opening, subprotocols=("superchat", "chat"))
    return [
        ("asks for a path", "/a%20b/%C3%A9?q=1&r=a%2Fb", _asker(below, "path")),
        ("agrees on a subprotocol", "chat", partial(_agree, opening=offering)),
        ("agrees on none", "", partial(_agree, opening=opening)),
    ]


def _compression(client: Peer, opening: Opening) -> list[Case]:
    compresses = bool(client.compression)
    agree = partial(_agree_on_compression, opening=opening)
    receive = partial(_receive_compressed, opening=opening)
    exchange = partial(_exchange_compressed, opening=opening)
    agreeing = (("agrees on compression", compresses, agree),)
    using = (("receives compressed messages", compresses, receive),)
    both = (("sends and receives compressed messages", (compresses, compresses), exchange),)
    return [
        *peer.unless_cannot(client, "compression", (*agreeing, *using)),
        *peer.unless_cannot(client, "traffic", both),
    ]


def _headers(opening: Opening) -> list[Case]:
    named = replace(opening, headers={"X-Test": "a b,c"})
    strange = replace(opening, origin="https://evil.example")
    local = replace(opening, origin="http://localhost:8080")
    return [
        ("sends a header", "a b,c", _asker(named, "header X-Test")),
        ("is refused because of its origin", 403, partial(_be_refused, opening=strange)),
        ("comes from an allowed origin", local.origin, _asker(local, "header Origin")),
    ]


def _frames(client: Peer, opening: Opening) -> list[Case]:
    # A frame of one byte is part of a character.
    parts = (("a text", cases.WORDS + cases.BEYOND_BMP, 1),)
    return [
        (
            f"receives {name} in frames of {size}",
            payload,
            partial(_receive_frames, opening=opening, size=size, payload=payload),
        )
        for name, payload, size in (
            *peer.unless_cannot(client, "split characters", parts),
            ("a text", cases.WORDS + cases.BEYOND_BMP, 4),
            ("every byte value", cases.ALL_BYTES, 1),
            ("1 MiB text", cases.MIB_TEXT, 1000),
            ("1 MiB binary", cases.MIB_BINARY, 1000),
        )
    ]


def _endings(opening: Opening) -> list[Case]:
    return [
        (
            f"is closed with {peer.brief(close)}",
            close,
            partial(_be_closed, opening=opening, command=f"close {close[0]} {close[1]}"),
        )
        for close in cases.CLOSES
    ]


def _asker(opening: Opening, command: str) -> Callable[[Peer], Payload]:
    def ask(client: Peer) -> Payload:
        client.open(opening)
        client.send(command)
        answer = client.receive()
        client.close(1000, "")
        return answer

    return ask


def _agree(client: Peer, opening: Opening) -> str:
    client.open(opening)
    agreed = client.subprotocol()
    client.close(1000, "")
    return agreed


def _agree_on_compression(client: Peer, opening: Opening) -> bool:
    client.open(opening)
    extensions = client.extensions()
    client.close(1000, "")
    return "permessage-deflate" in extensions


def _receive_compressed(client: Peer, opening: Opening) -> bool:
    """Returns whether the server has written less than the message."""
    client.open(opening)
    client.send(cases.REPETITION)
    client.receive()
    client.send("written")
    written = int(client.receive())
    client.close(1000, "")
    return 0 < written < len(cases.REPETITION) // 10


def _exchange_compressed(client: Peer, opening: Opening) -> tuple[bool, bool]:
    client.open(opening)
    client.send(cases.REPETITION)
    client.receive()
    traffic = client.traffic()
    client.close(1000, "")
    received, sent = (0 < count < len(cases.REPETITION) // 10 for count in traffic)
    return received, sent


def _be_refused(client: Peer, opening: Opening) -> int:
    return client.refusal(opening)


def _receive_frames(client: Peer, opening: Opening, size: int, payload: Payload) -> Payload:
    client.open(opening)
    client.send(f"frames {size}")
    client.receive()
    client.send(payload)
    echoed = client.receive()
    client.close(1000, "")
    return echoed


def _be_closed(client: Peer, opening: Opening, command: str) -> cases.Close:
    client.open(opening)
    client.send(command)
    return client.ending()
