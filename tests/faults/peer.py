"""A WebSocket client that sends and reads single frames, with the standard library alone."""

import socket
import struct

KEY = b"\1\2\3\4"
CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10


def mask(payload):
    key = int.from_bytes(KEY * (len(payload) // 4 + 1), "little")
    masked = int.from_bytes(payload, "little") ^ (key & ((1 << 8 * len(payload)) - 1))
    return masked.to_bytes(len(payload), "little")


class Peer:
    def __init__(self, address, timeout=120):
        self.connection = socket.create_connection(address, timeout=timeout)
        self.data = b""
        self.connection.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        while b"\r\n\r\n" not in self.data:
            self.receive()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.decode())

    def receive(self):
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError("the server has closed the connection")
        self.data += data

    def send(self, payload, opcode=TEXT, is_final=True):
        first = opcode | (0x80 if is_final else 0)
        header = (struct.pack("!BB", first, 0x80 | len(payload)) if len(payload) < 126 else
                  struct.pack("!BBQ", first, 0x80 | 127, len(payload)))
        self.connection.sendall(header + KEY + mask(payload))

    def read(self):
        """Returns opcode and payload of the next frame; answers pings."""
        while True:
            frame = self.take()
            if frame is None:
                self.receive()
            elif frame[0] == PING:
                self.send(frame[1], PONG)
            else:
                return frame

    def take(self):
        if len(self.data) < 2:
            return None
        length, start = self.data[1] & 127, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(self.data[2:start], "big")
        if len(self.data) < start + length:
            return None
        frame = self.data[0] & 15, self.data[start:start + length]
        self.data = self.data[start + length:]
        return frame

    def echo(self, text):
        self.send(text)
        return self.read() == (TEXT, text)

    def close(self):
        self.connection.close()
