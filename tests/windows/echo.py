"""Sends messages to an echo server, fast and slowly: `echo.py ws://HOST:PORT`.

The client is a plain TCP socket, so that it reads when it wants to, and not before. Each result is
one line, `ok - …` or `not ok - …`, with what was seen.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

DEADLINE = 60.0
"""How long one read may wait, in seconds."""

PAUSE = 5.0
"""How long the slow reader reads nothing, in seconds."""

MIB = 1024 * 1024
TEXT, BINARY = 1, 2
"""Opcodes (RFC 6455 §5.2)."""


class Client:
    """A WebSocket client; its masking key is 0, so that it need not mask (RFC 6455 §5.3)."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=DEADLINE)
        request = (
            f"GET / HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self._socket.sendall(request.encode())
        self._input = self._socket.makefile("rb")
        status = self._input.readline()
        if b" 101 " not in status:
            raise ConnectionError(f"the answer is {status!r}")
        while self._input.readline().strip():
            pass

    def send(self, opcode: int, payload: bytes) -> None:
        self._socket.sendall(bytes([0x80 | opcode]) + length_field(len(payload)) + bytes(4) + payload)

    def receive(self) -> bytes:
        """Returns the next message, whole."""
        message = b""
        while True:
            first, payload = self.receive_frame()
            if first & 0x08:
                raise ConnectionError(f"a control frame came: {first:#x} {payload!r}")
            message += payload
            if first & 0x80:
                return message

    def receive_frame(self) -> tuple[int, bytes]:
        """Returns the first byte of the next frame, and its payload."""
        first, length = self._read(2)
        if length == 126:
            length = int.from_bytes(self._read(2), "big")
        elif length == 127:
            length = int.from_bytes(self._read(8), "big")
        return first, self._read(length)

    def at_end(self) -> bool:
        """Returns whether the server ends the connection instead of sending more."""
        return not self._input.read(1)

    def _read(self, count: int) -> bytes:
        data = self._input.read(count)
        if len(data) < count:
            raise ConnectionError("the server has ended the connection")
        return data

    def close(self) -> None:
        self._socket.close()


def length_field(length: int) -> bytes:
    if length < 126:
        return bytes([0x80 | length])
    if length < 65536:
        return bytes([0x80 | 126]) + length.to_bytes(2, "big")
    return bytes([0x80 | 127]) + length.to_bytes(8, "big")


def five_texts(client: Client) -> str:
    """Each is sent when the answer to the one before has come."""
    for number in range(5):
        text = f"message {number}".encode()
        client.send(TEXT, text)
        if client.receive() != text:
            raise ConnectionError(f"another message came back than number {number}")
    return "5 of 5"


def a_big_message(client: Client) -> str:
    payload = os.urandom(8 * MIB)
    sender = in_thread(client.send, BINARY, payload)
    if client.receive() != payload:
        raise ConnectionError("another message came back")
    sender.join()
    return "8 MiB"


def a_reader_that_pauses(client: Client) -> str:
    """The server's output waits while nothing is read, and leaves when reading continues."""
    messages = [os.urandom(MIB) for _ in range(14)]
    sender = in_thread(lambda: [client.send(BINARY, message) for message in messages])
    received = 0
    for message in messages:
        if received == MIB:
            time.sleep(PAUSE)
        try:
            echo = client.receive()
        except OSError as error:
            raise ConnectionError(f"{error}, after {received // MIB} MiB") from error
        if echo != message:
            raise ConnectionError(f"another message came back after {received // MIB} MiB")
        received += len(echo)
    sender.join()
    return f"{received // MIB} MiB"


def in_thread(function: Callable[..., object], *arguments: object) -> threading.Thread:
    def run() -> None:
        # The reader reports how the connection ended.
        with contextlib.suppress(OSError):
            function(*arguments)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def main() -> int:
    url = urlsplit(sys.argv[1])
    address = (url.hostname or "127.0.0.1", url.port or 80)
    failed = 0
    for case in (five_texts, a_big_message, a_reader_that_pauses):
        name = case.__name__.replace("_", " ")
        try:
            client = Client(address)
            try:
                print(f"ok - {name}: {case(client)}", flush=True)
            finally:
                client.close()
        except OSError as error:
            failed += 1
            print(f"not ok - {name}: {error}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
