"""A WebSocket client and an HTTP client of a few lines: nothing has to be installed for them."""

import os
import socket
import ssl
import struct
from contextlib import closing

DEADLINE = 10  # Seconds for each step.


class Client:
    """A connection; an answer other than 101 is an error."""

    def __init__(self, port, host="localhost", trusted=None, headers=""):
        self.stream = connect(port, host, trusted)
        shown = f"{host}:{port}"
        self.stream.sendall((
            f"GET / HTTP/1.1\r\nHost: {shown}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"{headers}\r\n").encode())
        head = read_head(self.stream)
        if not head.startswith("HTTP/1.1 101 "):
            raise OSError(f"no upgrade: {head.splitlines()[0]}")

    def send(self, text):
        payload, mask = text.encode(), os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.stream.sendall(bytes([0x81, 0x80 | len(payload)]) + mask + masked)

    def receive(self):
        """Returns opcode and payload of the next short frame; None at the end."""
        head = self.read(2)
        if head is None:
            return None
        return head[0] & 0x0F, self.read(head[1] & 0x7F)

    def read(self, length):
        data = b""
        while len(data) < length:
            more = self.stream.recv(length - len(data))
            if not more:
                return None
            data += more
        return data

    def check_echo(self, text="hello"):
        self.send(text)
        opcode, payload = self.receive()
        assert (opcode, payload) == (1, text.encode()), (opcode, payload)

    def close_code(self):
        """Waits for the close frame, answers it, and returns its code."""
        opcode, payload = self.receive()
        assert opcode == 8, opcode
        self.stream.sendall(bytes([0x88, 0x82, 0, 0, 0, 0]) + payload[:2])
        return struct.unpack("!H", payload[:2])[0]

    def close(self):
        self.stream.close()


def connect(port, host="localhost", trusted=None):
    stream = socket.create_connection(("127.0.0.1", port), DEADLINE)
    if trusted:
        stream = ssl.create_default_context(cafile=trusted).wrap_socket(stream, server_hostname=host)
    return stream


def get(port, path, trusted=None):
    """Returns status and body of a page."""
    with closing(connect(port, trusted=trusted)) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while more := stream.recv(65536):
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def read_head(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            raise ConnectionResetError(f"ended in the head: {head!r}")
        head += byte
    return head.decode()
