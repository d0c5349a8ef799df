"""Sends messages to an echo server, fast and slowly: `echo.py ws://HOST:PORT`.

The client reads when it wants to, and not before. Each result is one line, `ok - …` or `not ok - …`,
with what was seen. Needs `tests` in PYTHONPATH.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from raw_client import BINARY, TEXT, Client

DEADLINE = 60.0
"""How long one read may wait, in seconds."""

PAUSE = 5.0
"""How long the slow reader reads nothing, in seconds."""

MIB = 1024 * 1024


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
            client = Client(address, DEADLINE)
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
