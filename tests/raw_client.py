"""A WebSocket client on a plain TCP socket: it reads and sends single frames, when it wants to."""

import socket

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
"""Opcodes (RFC 6455 §5.2)."""


class Client:
    """Its masking key is 0, so that it need not mask (RFC 6455 §5.3).

    `timeout` is how long one read or write may wait, in seconds.
    """

    def __init__(self, address: tuple[str, int], timeout: float) -> None:
        self._socket = socket.create_connection(address, timeout=timeout)
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

    def send(self, opcode: int, payload: bytes, is_final: bool = True) -> None:
        """Sends a frame."""
        first = opcode | (0x80 if is_final else 0)
        self._socket.sendall(bytes([first]) + _length_field(len(payload)) + bytes(4) + payload)

    def send_bytes(self, data: bytes) -> None:
        """Sends bytes as they are, which may be no frame."""
        self._socket.sendall(data)

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

    def close(self) -> None:
        """Ends the connection, without a closing handshake."""
        self._input.close()
        self._socket.close()

    def abort(self) -> None:
        """Ends both directions at once; another thread that reads or sends gets an error."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self, count: int) -> bytes:
        data = self._input.read(count)
        if len(data) < count:
            raise ConnectionError("the server has ended the connection")
        return data


def _length_field(length: int) -> bytes:
    if length < 126:
        return bytes([0x80 | length])
    if length < 65536:
        return bytes([0x80 | 126]) + length.to_bytes(2, "big")
    return bytes([0x80 | 127]) + length.to_bytes(8, "big")
