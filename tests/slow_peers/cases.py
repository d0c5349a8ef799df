"""Peers that read slowly, each beside a sender of its own: nothing may be lost.

`cases.py SENDER [NGINX]`; `cases.py SENDER line` only for a slow line. Needs the standard library alone.
"""

import concurrent.futures
import base64
import hashlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

KIB, MIB = 1024, 1024 * 1024
SYSTEM = None  # The system's receive buffer, which grows.


class Sender:
    """Our side: a process that prints where it listens, and how the connection has ended."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.argv[1], *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )

    def port(self):
        return int(self.process.stdout.readline().rsplit(":", 1)[1])

    def end(self):
        """Returns the close code and the error with which the connection has ended."""
        line = self.process.stdout.readline().split(" ", 2)
        return int(line[1]), line[2].strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Peer:
    """The other side: reads frames at a steady rate, answers pings and the close frame."""

    def __init__(self, connection, masks):
        self.connection, self.masks = connection, masks
        self.data = bytearray()
        self.left = 0  # Of the payload of a data frame.
        self.length = 0
        self.code = None
        self.numbers = []

    def read(self, rate, talks=False, pauses=(), length=None):
        """Reads until a close frame, the end, or so many bytes of messages."""
        begin = last = time.monotonic()
        received = 0
        pauses = list(pauses)
        while self.code is None and (length is None or self.length < length):
            data = self.connection.recv(16 * KIB if rate > 200 * KIB else 4 * KIB)
            if not data:
                return
            received += len(data)
            self.take(data)
            if pauses and received > pauses[0][0]:
                _, seconds = pauses.pop(0)
                time.sleep(seconds)
                begin += seconds
            if talks and time.monotonic() - last > 1:
                last = time.monotonic()
                self.send(1, b"hi")
            time.sleep(max(0, begin + received / rate - time.monotonic()))

    def take(self, data):
        self.data += data
        while self.data:
            if self.left:
                count = min(self.left, len(self.data))
                self.left -= count
                self.length += count
                del self.data[:count]
                continue
            header = self.header()
            if header is None:
                return
            opcode, length, end = header
            if opcode == 0 or opcode == 2:
                self.left = length
                del self.data[:end]
                continue
            if len(self.data) < end + length:
                return
            payload = bytes(self.data[end : end + length])
            del self.data[: end + length]
            if opcode == 1:
                self.numbers.append(int(payload))
            elif opcode == 9:
                self.send(10, payload)
            elif opcode == 8:
                self.code = struct.unpack("!H", self.unmask(payload)[:2])[0]
                self.send(8, struct.pack("!H", self.code))
                return

    def header(self):
        """Returns opcode, length of the payload and where it begins, once the header is whole."""
        if len(self.data) < 14 and len(self.data) < 2:
            return None
        length, end = self.data[1] & 127, 2
        if length == 126:
            end = 4
        elif length == 127:
            end = 10
        key = 4 if self.data[1] & 128 else 0
        if len(self.data) < end + key:
            return None
        if end > 2:
            length = int.from_bytes(self.data[2:end], "big")
        self.key = bytes(self.data[end : end + key])
        return self.data[0] & 15, length, end + key

    def unmask(self, payload):
        return bytes(byte ^ self.key[i % 4] for i, byte in enumerate(payload)) if self.key else payload

    def send(self, opcode, payload):
        mask = b"\1\2\3\4" if self.masks else b""
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if mask else payload
        self.connection.sendall(bytes([0x80 | opcode, (0x80 if mask else 0) | len(payload)]) + mask + masked)


def connect(port, buffer):
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(120)
    connection.connect(("127.0.0.1", port))
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert b" 101 " in head, head
    return Peer(connection, masks=True)


def download(mode, mib, rate, buffer=64 * KIB, proxy=None, **manner):
    """Reads what a server sends; `stay` is over when all is there."""
    with Sender("serve", mode, mib) as sender:
        port = sender.port()
        peer = connect(proxy(port) if proxy else port, buffer)
        if mode == "stay":
            # Closed by the peer, once it has everything.
            peer.read(rate, length=mib * MIB, **manner)
            peer.send(8, struct.pack("!H", 1000))
            manner = {}
        peer.read(rate, **manner)
        code, error = sender.end()
        expected = 1001 if mode == "shutdown" else 1000
        ours = peer.length == mib * MIB and peer.code == expected and not error
        # After a shutdown's deadline the program has heard 1006; behind a proxy the peer is the proxy.
        ours = ours and (code == expected or mode == "shutdown" or proxy)
        return bool(ours), f"{peer.length / MIB:.1f} of {mib} MiB, codes {code} and {peer.code} {error}"


def upload(mib, rate, buffer=64 * KIB):
    """Reads what a client sends."""
    listener = socket.socket()
    if buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with Sender("upload", f"ws://127.0.0.1:{listener.getsockname()[1]}/", mib) as sender:
        connection, _ = listener.accept()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        key = next(line[19:] for line in head.decode().split("\r\n") if line.lower().startswith("sec-websocket-key: "))
        digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        peer = Peer(connection, masks=False)
        peer.read(rate)
        connection.close()
        code, error = sender.end()
        is_right = peer.length == mib * MIB and code == peer.code == 1000 and not error
        return is_right, f"{peer.length / MIB:.1f} of {mib} MiB, codes {code} and {peer.code} {error}"


def latest(rate):
    """Reads numbers, of which the oldest are dropped: they rise, and the last one is there."""
    with Sender("serve", "latest", 0) as sender:
        peer = connect(sender.port(), 64 * KIB)
        peer.read(rate)
        code, error = sender.end()
        rises = peer.numbers == sorted(set(peer.numbers))
        is_right = rises and peer.numbers[-1] == 40_000 and code == peer.code == 1000
        return is_right, f"{len(peer.numbers)} of 40000 numbers, codes {code} and {peer.code} {error}"


def dead():
    """Reads nothing and sends nothing: ended, not sooner than after the write timeout."""
    with Sender("serve", "stay", 12) as sender:
        begin = time.monotonic()
        peer = connect(sender.port(), 64 * KIB)
        code, error = sender.end()
        seconds = time.monotonic() - begin
        peer.connection.close()
        return code == 1006 and 29 < seconds < 70, f"{seconds:.0f} s, {error}"


class Nginx:
    """A proxy in front of each sender."""

    def __init__(self, program):
        self.program, self.folder, self.processes = program, tempfile.mkdtemp(), []

    def __call__(self, port):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            own_port = free.getsockname()[1]
        config = os.path.join(self.folder, f"{own_port}.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                f"daemon off; pid {self.folder}/{own_port}.pid; error_log stderr crit; worker_processes 1;\n"
                f"events {{}} http {{ access_log off; client_body_temp_path {self.folder};\n"
                f"proxy_temp_path {self.folder}; fastcgi_temp_path {self.folder}; uwsgi_temp_path {self.folder};\n"
                f"scgi_temp_path {self.folder}; server {{ listen 127.0.0.1:{own_port}; location / {{\n"
                f"proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; proxy_read_timeout 300s;\n"
                f"proxy_send_timeout 300s; proxy_set_header Upgrade $http_upgrade;\n"
                f"proxy_set_header Connection upgrade; }} }} }}\n"
            )
        self.processes.append(subprocess.Popen([self.program, "-c", config]))
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", own_port)).close()
                return own_port
            except OSError:
                time.sleep(0.1)
        raise OSError("nginx did not start")

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()


def cases(nginx):
    for rate in (40, 80, 120, 150, 400, 1024):
        for buffer, name in ((64 * KIB, "64 KiB"), (SYSTEM, "the system's")):
            yield f"12 MiB at {rate} KiB/s, receive buffer {name}", download, ("stay", 12, rate * KIB, buffer), {}
    for rate in (40, 200):
        for talks in (False, True):
            manner = {"talks": talks}
            name = "talking" if talks else "silent"
            yield f"3 MiB and close at {rate} KiB/s, {name}", download, ("close", 3, rate * KIB), manner
            yield f"1 MiB and shutdown at {rate} KiB/s, {name}", download, ("shutdown", 1, rate * KIB), manner
    yield "12 MiB through a message stream at 150 KiB/s", download, ("stream", 12, 150 * KIB), {}
    yield "12 MiB at 400 KiB/s with a pause of 12 s", download, ("stay", 12, 400 * KIB), {"pauses": [(2 * MIB, 12)]}
    yield "12 MiB at 400 KiB/s with a pause of 25 s", download, ("stay", 12, 400 * KIB), {"pauses": [(2 * MIB, 25)]}
    yield "upload of 12 MiB at 150 KiB/s", upload, (12, 150 * KIB), {}
    yield "upload of 3 MiB at 40 KiB/s", upload, (3, 40 * KIB), {}
    yield "the oldest dropped at 100 KiB/s", latest, (100 * KIB,), {}
    yield "a peer that acknowledges nothing", dead, (), {}
    if nginx:
        for rate in (80, 400):
            yield f"12 MiB at {rate} KiB/s behind nginx", download, ("stay", 12, rate * KIB), {"proxy": nginx}
        yield "3 MiB and close at 200 KiB/s behind nginx", download, ("close", 3, 200 * KIB), {"proxy": nginx}


def run(name, case, arguments, manner):
    begin = time.monotonic()
    try:
        is_right, text = case(*arguments, **manner)
    except (OSError, AssertionError, IndexError, ValueError, StopIteration) as error:
        is_right, text = False, repr(error)
    print(f"{'ok' if is_right else 'not ok'} - {name}: {text} ({time.monotonic() - begin:.0f} s)", flush=True)
    return is_right


def main():
    if sys.argv[2:] == ["line"]:
        all_cases = [("12 MiB on a slow line", download, ("stay", 12, 100 * MIB, SYSTEM), {}),
                     ("3 MiB and close on a slow line", download, ("close", 3, 100 * MIB, SYSTEM), {})]
        results = [run(*case) for case in all_cases]
    else:
        nginx = Nginx(sys.argv[2]) if len(sys.argv) > 2 else None
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            results = list(pool.map(lambda case: run(*case), cases(nginx)))
        if nginx:
            nginx.stop()
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(not all(results))


main()
