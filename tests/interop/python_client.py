"""Takes Python's `websockets` through the cases.

`python_client.py ECHO_URL [COMMAND_URL [COMPRESSION]]`.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.sync.client import connect

import commands
import peer
from cases import Close, Payload


class PythonPeer(peer.Peer):
    """A client of the `websockets` package (it offers permessage-deflate)."""

    name = "python"

    def __init__(self) -> None:
        self._earlier = ExitStack()

    def open(self, opening: peer.Opening) -> None:
        self._earlier.close()
        connecting = connect(
            opening.url,
            origin=opening.origin or None,
            subprotocols=opening.subprotocols or None,
            additional_headers=opening.headers,
            proxy=None,
            open_timeout=peer.DEADLINE,
            close_timeout=peer.DEADLINE,
            max_size=None,
        )
        self._connection = self._earlier.enter_context(connecting)
        self._received = self._sent = 0
        for extension in self._connection.protocol.extensions:
            self._count(extension)

    def refusal(self, opening: peer.Opening) -> int:
        try:
            self.open(opening)
        except InvalidStatus as error:
            return error.response.status_code
        return 101

    def subprotocol(self) -> str:
        return self._connection.subprotocol or ""

    def extensions(self) -> str:
        return self._connection.response.headers.get("Sec-WebSocket-Extensions", "")

    def traffic(self) -> tuple[int, int]:
        return self._received, self._sent

    def _count(self, extension: PerMessageDeflate) -> None:
        """Counts the bytes of frames whose first reserved bit is set."""
        decode, encode = extension.decode, extension.encode

        def decode_and_count(frame: Frame, **options: object) -> Frame:
            self._received += len(frame.data) if frame.rsv1 else 0
            return decode(frame, **options)

        def encode_and_count(frame: Frame) -> Frame:
            encoded = encode(frame)
            self._sent += len(encoded.data) if encoded.rsv1 else 0
            return encoded

        extension.decode, extension.encode = decode_and_count, encode_and_count

    def send(self, payload: Payload) -> None:
        self._connection.send(payload)

    def receive(self) -> Payload:
        return self._connection.recv(timeout=peer.DEADLINE)

    def send_fragmented(self, payload: Payload, size: int) -> None:
        content = payload.encode() if isinstance(payload, str) else payload
        self._connection.send(self._fragments(content, size), text=isinstance(payload, str))

    def _fragments(self, content: bytes, size: int) -> Iterator[bytes]:
        # RFC 6455 §5.4: control frames may come between fragments, and are answered there.
        for start in range(0, len(content), size):
            if start:
                self.ping(b"between fragments")
            yield content[start : start + size]

    def ping(self, payload: bytes) -> bytes:
        # The event is set by the pong with this very payload.
        if not self._connection.ping(payload).wait(peer.DEADLINE):
            raise TimeoutError(f"no pong with {peer.brief(payload)}")
        return payload

    def close(self, code: int, reason: str) -> Close:
        self._connection.close(code, reason)
        return self._told()

    def ending(self) -> Close:
        try:
            self._connection.recv(timeout=peer.DEADLINE)
        except ConnectionClosed:
            return self._told()
        raise RuntimeError("a message instead of the end")

    def _told(self) -> Close:
        # What the server's close frame said, not what ours did.
        return self._connection.close_code, self._connection.close_reason


if __name__ == "__main__":
    sys.exit(commands.run_all(PythonPeer(), *sys.argv[1:]) > 0)
