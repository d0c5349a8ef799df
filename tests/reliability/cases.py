"""What peers do, and what a server does then; each case has a server of its own."""

import contextlib
import dataclasses
import os
import resource
import socket
import struct
import subprocess
import threading
import time

from raw_client import BINARY, CLOSE, PING, TEXT, Client

KIB, MIB = 1 << 10, 1 << 20
REQUEST = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
ECHO_REQUEST = bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi"


@dataclasses.dataclass
class Outcome:
    """What was seen, and whether that is what the promise says."""

    text: str
    is_kept: bool


@dataclasses.dataclass
class Case:
    promise: str
    function: object
    needs_root: bool = False
    is_for_all: bool = False  # The function gets all servers at once.
    descriptors: int = 4096

    def run(self, commands):
        """Returns an outcome for each server."""
        if not self.is_for_all:
            return [self.run_servers([command], self.run_one) for command in commands]
        return self.run_servers(commands, self.function)

    def run_servers(self, commands, function):
        with contextlib.ExitStack() as stack:
            return function([stack.enter_context(Server(it, self.descriptors)) for it in commands])

    def run_one(self, servers):
        try:
            outcome = self.function(*servers)
        except (OSError, ValueError) as error:
            outcome = Outcome(f"{type(error).__name__}: {error}", False)
        if not servers[0].serves():
            outcome = Outcome(f"{outcome.text}; then serves no client", False)
        return outcome


class Server:
    """An echo server in a process of its own."""

    def __init__(self, command, descriptors):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, preexec_fn=limit)
        self.address = ("127.0.0.1", int(self.process.stdout.readline().rsplit(":", 1)[1]))
        first = self.connect()
        first.send(TEXT, b"first")
        first.receive()
        self.at_rest = self.descriptors() - 1
        first.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def connect(self, timeout=20):
        return Client(self.address, timeout)

    def serves(self):
        """Returns whether a client gets an echo."""
        try:
            client = self.connect(timeout=5)
        except OSError:
            return False
        is_served = echoes(client)
        client.close()
        return is_served

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_for_descriptors(self, most, seconds):
        """Waits until there are no more than so many, or for so long; returns their number."""
        deadline = time.monotonic() + seconds
        while self.descriptors() > most and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.descriptors()

    def kib(self, what):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(what))

    def busy_seconds(self):
        """Returns for how long its threads have run, or waited for a core that other work had."""
        folder = f"/proc/{self.process.pid}/task"
        nanoseconds = 0
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/schedstat", encoding="ascii") as file:
                run, waited, _ = map(int, file.read().split())
                nanoseconds += run + waited
        return nanoseconds / 1e9

    def growth_of_peak(self, action):
        """Returns by how many MiB the memory grew at the most, and what the action returned."""
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
        before = self.kib("VmRSS")
        returned = action()
        return (self.kib("VmHWM") - before) / KIB, returned


def echoes(client):
    """Returns whether a client gets its message back."""
    try:
        client.send(TEXT, b"good")
        return client.receive() == b"good"
    except OSError:
        return False


def close_code(client):
    """Returns how the server ends a connection: a close code, or the end of TCP alone."""
    try:
        while True:
            first, payload = client.receive_frame()
            if first & 15 == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if payload else 1005
    except TimeoutError:
        return "nothing within 5 s"
    except OSError:
        return "no close frame"


def shown(code):
    return f"closed with {code}" if isinstance(code, int) else str(code)


def request_byte_by_byte(server):
    """a valid request, byte by byte"""
    with socket.create_connection(server.address, timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for byte in REQUEST:
                connection.sendall(bytes([byte]))
                time.sleep(0.002)
            answer = connection.recv(12)
        except OSError:
            answer = b""
    return Outcome("accepted" if answer.endswith(b"101") else "refused", answer.endswith(b"101"))


def silent_handshakes(server):
    """500 connections that send nothing"""
    silent = [socket.create_connection(server.address) for _ in range(500)]
    start = time.monotonic()
    left = server.wait_for_descriptors(server.at_rest, 15) - server.at_rest
    seconds = time.monotonic() - start
    for connection in silent:
        connection.close()
    text = f"{left} open after 15 s" if left > 0 else f"closed after {seconds:.0f} s"
    return Outcome(text, left <= 0)


def no_descriptors(server):
    """more connections than descriptors, for 3 s"""
    good = server.connect()
    waiting = [socket.create_connection(server.address) for _ in range(100)]
    before = server.busy_seconds()
    time.sleep(3)
    share = (server.busy_seconds() - before) / 3
    is_served = echoes(good)
    for connection in waiting:
        connection.close()
    good.close()
    server.wait_for_descriptors(server.at_rest, 5)
    served = "" if is_served else ", open connections are not served"
    return Outcome(f"{share:.0%} of a core{served}", is_served and share < 0.2)


def frame_behind_the_request(server):
    """a request and a frame in one segment"""
    with socket.create_connection(server.address, timeout=5) as connection:
        connection.sendall(REQUEST + ECHO_REQUEST)
        try:
            read_until(connection, b"\x81\x02hi")
        except OSError as error:
            is_lost = isinstance(error, TimeoutError)
            return Outcome("the frame is lost" if is_lost else "refused", False)
    return Outcome("delivered", True)


def burst(server):
    """2,000 connects at once, with an echo each"""
    start = time.monotonic()
    connections = []
    for _ in range(2000):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(server.address)
        connections.append(connection)
    for connection in connections:
        connection.settimeout(60)
        connection.sendall(REQUEST)
    for connection in connections:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(ECHO_REQUEST)
    for connection in connections:
        read_until(connection, b"\x81\x02hi")
    seconds = time.monotonic() - start
    for connection in connections:
        connection.close()
    server.wait_for_descriptors(server.at_rest, 5)
    return Outcome(f"{seconds:.1f} s", seconds < 2)


def read_until(connection, end):
    data = b""
    while not data.endswith(end):
        more = connection.recv(4096)
        if not more:
            raise ConnectionError("the server has ended the connection")
        data += more


def unmasked_frame(server):
    """a frame without a mask"""
    client = server.connect(timeout=5)
    client.send_bytes(b"\x81\x02hi")
    first, payload = answer(client)
    if first == 0x81:
        return Outcome("accepted", False)
    return Outcome(*ended(first, payload, 1002))


def invalid_text(server):
    """text that is not UTF-8"""
    client = server.connect(timeout=5)
    client.send(TEXT, b"fine \xff")
    return Outcome(*ended(*answer(client), 1007))


def oversized_message(server):
    """a frame of 1 GiB, of which 256 MiB are sent"""
    client = server.connect(timeout=5)

    def send():
        try:
            client.send_bytes(b"\x82\xff" + struct.pack("!Q", 1 << 30) + bytes(4))
            for _ in range(256):
                client.send_bytes(bytes(MIB))
        except OSError:
            pass
        return close_code(client)

    mib, code = server.growth_of_peak(send)
    return Outcome(f"{shown(code)}, +{mib:.0f} MiB", code == 1009 and mib < 32)


def ping_flood(server):
    """a million pings by a peer that reads nothing"""
    client = server.connect(timeout=2)
    pings = (bytes([0x80 | PING, 0x80 | 125]) + bytes(4) + bytes(125)) * 1000

    def send():
        try:
            for _ in range(1000):
                client.send_bytes(pings)
            return "all read"
        except OSError:
            return "held back"

    mib, _ = server.growth_of_peak(send)
    client.close()
    return Outcome(f"+{mib:.0f} MiB", mib < 4)


def reader_that_stalls(server):
    """256 MiB of messages whose echoes are not read"""
    client = server.connect(timeout=5)

    def send():
        try:
            for _ in range(256):
                client.send(BINARY, bytes(MIB))
            return "all read"
        except TimeoutError:
            return "held back"
        except OSError:
            return "ended"

    mib, what = server.growth_of_peak(send)
    client.close()
    return Outcome(f"{what}, +{mib:.0f} MiB", what != "all read" and mib < 40)


def slow_reader(server):
    """12 MiB of echoes, read at 2 MiB/s"""
    client = server.connect(timeout=60)
    sender = threading.Thread(target=lambda: [client.send(BINARY, bytes(64 * KIB)) for _ in range(192)])
    sender.start()
    received = 0
    start = time.monotonic()
    while received < 12 * MIB:
        received += len(client.receive())
        time.sleep(max(0, start + received / (2 * MIB) - time.monotonic()))
    sender.join()
    client.close()
    return Outcome("all arrive", True)


def flood_beside_others(server):
    """a flood of tiny messages, beside another client"""
    flood = server.connect(timeout=30)
    frames = (b"\x81\x81" + bytes(4) + b"x") * 10_000
    is_over = threading.Event()

    def send():
        try:
            while not is_over.is_set():
                flood.send_bytes(frames)
        except OSError:
            pass

    def read():
        try:
            while flood.receive_frame():
                pass
        except (OSError, ValueError):
            pass

    threads = [threading.Thread(target=send, daemon=True), threading.Thread(target=read, daemon=True)]
    for thread in threads:
        thread.start()
    try:
        times = echo_times(server, seconds=5)
    except TimeoutError:
        return Outcome("others get no echo within 30 s", False)
    finally:
        is_over.set()
        flood.abort()
        for thread in threads:
            thread.join()
    p99 = sorted(times)[len(times) * 99 // 100]
    return Outcome(f"p99 {p99 * 1000:.0f} ms, most {max(times) * 1000:.0f} ms", p99 < 0.1 and max(times) < 0.65)


def echo_times(server, seconds):
    client = server.connect(timeout=30)
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        client.send(TEXT, b"how are the others?")
        client.receive()
        times.append(time.monotonic() - start)
        time.sleep(0.005)
    client.close()
    return times


def idle_connections(server):
    """1,000 idle connections"""
    clients = [server.connect() for _ in range(100)]
    before = server.kib("VmRSS")
    clients += [server.connect() for _ in range(1000)]
    kib = (server.kib("VmRSS") - before) / 1000
    for client in clients:
        client.close()
    return Outcome(f"{kib:.1f} KiB each", kib < 4)


def killed_clients(server):
    """a process with 200 connections that is killed"""
    process = subprocess.Popen(["/usr/bin/env", "python3", "-c", f"""
import socket, sys, time
connections = [socket.create_connection({server.address!r}) for _ in range(200)]
for connection in connections:
    connection.sendall({REQUEST!r})
    connection.recv(4096)
print("open", flush=True)
time.sleep(60)"""], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.kill()
    process.wait()
    start = time.monotonic()
    left = server.wait_for_descriptors(server.at_rest, 5) - server.at_rest
    text = f"{left} descriptors left after 5 s" if left > 0 else f"freed in {time.monotonic() - start:.1f} s"
    return Outcome(text, left <= 0)


def peers_without_a_word(servers):
    """50 peers whose network is gone, without FIN"""
    clients = [server.connect() for server in servers for _ in range(50)]
    subprocess.run(["ip", "link", "set", "lo", "down"], check=True)
    try:
        for client in clients:
            client.close()
        start = time.monotonic()
        freed = {}
        while len(freed) < len(servers) and time.monotonic() < start + 200:
            time.sleep(0.1)
            for server in servers:
                if server not in freed and server.descriptors() <= server.at_rest:
                    freed[server] = time.monotonic() - start
    finally:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return [Outcome(f"freed after {freed[server]:.0f} s" if server in freed else "open after 200 s",
                    server in freed) for server in servers]


def answer(client):
    """Returns the first byte and the payload of the next frame; the first byte is 0 at the end."""
    try:
        return client.receive_frame()
    except TimeoutError:
        return None, b""
    except OSError:
        return 0, b""


def ended(first, payload, code):
    """Returns what was seen, and whether it is a close frame with this code."""
    if first == 0x80 | CLOSE:
        found = struct.unpack("!H", payload[:2])[0]
        return f"closed with {found}", found == code
    return ("no close frame" if first == 0 else "not answered within 5 s"), False


CASES = [
    Case("OPEN-01", silent_handshakes),
    Case("OPEN-03", request_byte_by_byte),
    Case("OPEN-09", frame_behind_the_request),
    Case("OPEN-14", burst),
    Case("OPEN-15", no_descriptors, descriptors=64),
    Case("MSG-01", unmasked_frame),
    Case("MSG-03", invalid_text),
    Case("MSG-04", oversized_message),
    Case("MSG-07", ping_flood),
    Case("MSG-08", flood_beside_others),
    Case("MSG-09", reader_that_stalls),
    Case("MSG-12", slow_reader),
    Case("MSG-10", killed_clients),
    Case("MSG-10", peers_without_a_word, needs_root=True, is_for_all=True),
    Case("(memory)", idle_connections),
]
