"""Ends a server by Ctrl-C: `ctrl_c.py ws://HOST:PORT PROCESS`.

Its client gets a close frame with 1001, and the server ends once that is answered. The result is one
line, `ok - …` or `not ok - …`. Needs `tests` in PYTHONPATH.
"""

import os
import signal
import socket
import sys
import time
from urllib.parse import urlsplit

from echo import DEADLINE
from raw_client import CLOSE, Client

GOING_AWAY = (1001).to_bytes(2, "big")
"""A close code (RFC 6455 §7.4.1)."""


def end_in_good_order(address: tuple[str, int], process: int) -> str:
    client = Client(address, DEADLINE)
    os.kill(process, signal.SIGINT)
    first, payload = client.receive_frame()
    if first != 0x80 | CLOSE or payload[:2] != GOING_AWAY:
        raise ConnectionError(f"a frame came: {first:#x} {payload!r}")
    client.send(CLOSE, payload)
    if not client.at_end():
        raise ConnectionError("more came after the close frame")
    begin = time.monotonic()
    while is_listening(address):
        if time.monotonic() - begin > DEADLINE:
            raise ConnectionError("the server still listens")
        time.sleep(0.1)
    return "1001, and the server is gone"


def is_listening(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return False
    return True


def main() -> int:
    url = urlsplit(sys.argv[1])
    try:
        print(f"ok - Ctrl-C: {end_in_good_order((url.hostname or '127.0.0.1', url.port or 80), int(sys.argv[2]))}")
    except OSError as error:
        print(f"not ok - Ctrl-C: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
