"""The cases: each prints `ok - …` or `not ok - …`."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

from client import DEADLINE, Client, connect, get

ROOT = Path(__file__).resolve().parent.parent.parent
CHAPTER = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
SERVICE, WORK = sys.argv[1], Path(sys.argv[2])
CERTIFICATE, KEY, BOTH = WORK / "chat.pem", WORK / "chat.key", WORK / "both.pem"


def main():
    make_certificate()
    results = [run(case) for case in CASES]
    print(f"{results.count(True)} passed, {results.count(False)} failed, "
          f"{results.count(None)} skipped")
    return 1 if False in results or True not in results else 0


def run(case):
    name = case.__doc__
    with ExitStack() as processes:
        try:
            skipped = case(processes)
        except Exception as error:
            print(f"not ok - {name}: {type(error).__name__} {error}", flush=True)
            return False
    print(f"# skipped - {name}: {skipped}" if skipped else f"ok - {name}", flush=True)
    return None if skipped else True


def direct(processes):
    """the service alone"""
    port = start_service(processes)
    check(port)
    status, metrics = get(port, "/metrics")
    assert status == 200 and "messages_received_total 1\n" in metrics, metrics
    assert get(port, "/")[0] == 426


def with_tls(processes):
    """the service with TLS of its own"""
    check(start_service(processes, CERTIFICATE, KEY), trusted=CERTIFICATE)


def nginx(processes):
    """behind nginx"""
    check_proxy(processes, "nginx", lambda file: ["nginx", "-e", "stderr", "-p", WORK, "-c", file])


def nginx_over_a_unix_socket(processes):
    """behind nginx, over a Unix socket of systemd"""
    path = WORK / "chat.sock"
    listener = processes.enter_context(closing(socket.socket(socket.AF_UNIX)))
    listener.bind(str(path))
    listener.listen()
    path.chmod(0o666)
    start_inherited(processes, listener)
    port = free_port()
    check_proxy_at(processes, "nginx", port, {
        "http://127.0.0.1:8080": f"http://unix:{path}",
        "listen 443": f"listen 127.0.0.1:{port}",
    }, lambda file: ["nginx", "-e", "stderr", "-p", WORK, "-c", file])
    # The client's address is that of nginx' header: the socket has none.
    with closing(Client(port, trusted=CERTIFICATE)) as client:
        for _ in range(1500):
            client.send("x")
        log = WORK / "sh.log"
        wait_until(lambda: "127.0.0.1: limit of messages_per_second" in log.read_text("utf-8"))


def haproxy(processes):
    """behind HAProxy"""
    check_proxy(processes, "haproxy", lambda file: ["haproxy", "-db", "-f", file])


def caddy(processes):
    """behind Caddy"""
    if not shutil.which("caddy"):
        return "not installed"
    os.environ.update(HOME=str(WORK), XDG_DATA_HOME=str(WORK), XDG_CONFIG_HOME=str(WORK))
    check_proxy(processes, "caddy",
                lambda file: ["caddy", "run", "--adapter", "caddyfile", "--config", file])
    return None


def socket_activation(processes):
    """systemd-socket-activate starts the service for the first client"""
    if not shutil.which("systemd-socket-activate"):
        return "not installed"
    port = free_port()
    start(processes, ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", SERVICE])
    wait_until(lambda: Client(port))
    check(port)
    return None


def units(_processes):
    """systemd accepts the units"""
    if not shutil.which("systemd-analyze"):
        return "no systemd-analyze"
    for unit in blocks("ini"):
        name = Path(unit.splitlines()[0].removeprefix("# ")).name
        unit = unit.replace("/usr/local/bin/service", SERVICE)
        (WORK / name).write_text(unit, encoding="utf-8")
    verify = subprocess.run(["systemd-analyze", "verify", "--man=no", WORK / "chat.service"],
                            capture_output=True, text=True, timeout=DEADLINE, check=False,
                            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{WORK}:"})
    problems = [line for line in verify.stderr.splitlines() if "chat." in line]
    assert verify.returncode == 0 and not problems, verify.stderr
    return None


def restart(processes):
    """a new process takes over: no client is refused, and the old ones are sent 1001"""
    listener = processes.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
    port = listener.getsockname()[1]
    old = start_inherited(processes, listener)
    before = Client(port)
    before.check_echo()
    clients = Reconnecting(port)

    new = start_inherited(processes, listener)
    old.send_signal(signal.SIGTERM)
    assert before.close_code() == 1001
    assert old.wait(DEADLINE) == 0

    served = clients.count
    wait_until(lambda: clients.count > served + 20)
    assert clients.stop() is None, clients.error
    assert clients.interrupted <= 1, clients.interrupted
    check(port)
    new.send_signal(signal.SIGTERM)
    assert new.wait(DEADLINE) == 0


def watchdog(processes):
    """the watchdog of systemd hears of the loop, until it is blocked"""
    listener = processes.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
    process, notifications = start_notified(processes, listener, WATCHDOG_USEC="200000")
    for _ in range(3):
        assert notifications.recv(4096) == b"WATCHDOG=1\n"
    process.send_signal(signal.SIGSTOP)
    notifications.settimeout(0.5)
    try:
        # Those that were sent before.
        for _ in range(10):
            notifications.recv(4096)
        raise AssertionError("a blocked service reports")
    except TimeoutError:
        pass
    process.send_signal(signal.SIGCONT)
    notifications.settimeout(DEADLINE)
    assert notifications.recv(4096) == b"WATCHDOG=1\n"


def gapless_queue(processes):
    """without a process, clients wait in the queue of the socket"""
    listener = processes.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
    port = listener.getsockname()[1]
    waiting = connect(port)
    start_inherited(processes, listener)
    waiting.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")


class Reconnecting:
    """Clients that connect one after the other, until `stop`."""

    def __init__(self, port):
        self.port, self.count, self.error, self.is_running = port, 0, None, True
        self.interrupted = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.is_running and not self.error:
            try:
                client = Client(self.port)
                client.send("hello")
                # A client of the old process may get 1001 instead of its echo.
                assert client.receive()[0] in (1, 8)
                client.close()
                self.count += 1
            except (ConnectionResetError, BrokenPipeError, TypeError):
                # A handshake that the old process had not finished. It is not refused the next time.
                self.interrupted += 1
            except Exception as error:
                self.error = error

    def stop(self):
        self.is_running = False
        self.thread.join(DEADLINE)
        return self.error


def check_proxy(processes, name, command):
    """Runs a proxy with its configuration of the chapter, which gets our ports and certificate."""
    backend, port = start_service(processes), free_port()
    check_proxy_at(processes, name, port, {
        "127.0.0.1:8080": f"127.0.0.1:{backend}", "listen 443": f"listen 127.0.0.1:{port}",
        "bind :443": f"bind 127.0.0.1:{port}",
        "chat.example {": f"https://localhost:{port} {{\n    tls {CERTIFICATE} {KEY}",
    }, command)


def check_proxy_at(processes, name, port, places, command):
    """The same with these addresses in place of those of the chapter."""
    text, = blocks(name)
    files = {"/etc/ssl/chat.key": str(KEY), "crt /etc/ssl/chat.pem": f"crt {BOTH}",
             "/etc/ssl/chat.pem": str(CERTIFICATE)}
    for old, new in {**places, **files}.items():
        text = text.replace(old, new)
    if name == "nginx":
        text = f"daemon off; pid {WORK}/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{\n" \
            f"access_log off;\n{text}\n}}\n"
    if name == "caddy":
        text = "{\n    admin off\n    auto_https disable_redirects\n}\n" + text
    file = WORK / f"{name}.conf"
    file.write_text(text, encoding="utf-8")
    start(processes, command(file))
    # HAProxy serves once the health check has succeeded.
    wait_until(lambda: get(port, "/health", CERTIFICATE)[0] == 200)
    check(port, CERTIFICATE)
    assert get(port, "/metrics", CERTIFICATE)[0] == 403
    origin = f"Origin: https://localhost:{port}\r\n"
    with closing(Client(port, trusted=CERTIFICATE, headers=origin)) as client:
        client.check_echo()


def check(port, trusted=None):
    """Checks an echo and the health page."""
    with closing(Client(port, trusted=trusted)) as client:
        client.check_echo()
    assert get(port, "/health", trusted) == (200, "ok\n")


def blocks(language):
    """Returns the blocks of the chapter in a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", CHAPTER, re.DOTALL | re.MULTILINE)
    assert found, f"docs/deployment.md has no block of {language}"
    return found


def start_service(processes, *files):
    """Starts the service, and returns its port."""
    port = free_port()
    start(processes, [SERVICE, str(port), *map(str, files)])
    wait_until(lambda: connect(port).close() is None)
    return port


def start_inherited(processes, listener):
    """Starts the service as systemd does: with the socket, and until READY=1 was notified."""
    return start_notified(processes, listener)[0]


def start_notified(processes, listener, **environment):
    """The same, also returns the socket of the notifications."""
    notifications = processes.enter_context(closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)))
    address = WORK / f"notify.{time.monotonic_ns()}"
    notifications.bind(str(address))
    notifications.settimeout(DEADLINE)

    def inherit():
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)

    # The shell knows its own process, which becomes that of the service.
    script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0"'
    process = start(processes, ["sh", "-c", script, SERVICE], preexec_fn=inherit, close_fds=False,
                    env={**os.environ, **environment, "NOTIFY_SOCKET": str(address)})
    assert b"READY=1" in notifications.recv(4096)
    return process, notifications


def start(processes, command, **options):
    log = processes.enter_context(open(WORK / f"{Path(command[0]).name}.log", "ab"))
    process = subprocess.Popen(command, stdout=log, stderr=log, **options)

    def end():
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    processes.callback(end)
    return process


def wait_until(condition):
    """Waits until the condition holds; errors count as not yet."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            if condition():
                return
            error = None
        except (OSError, AssertionError, ValueError, IndexError) as failed:
            error = failed
        if time.monotonic() > end:
            raise TimeoutError(f"not within {DEADLINE} s: {error}")
        time.sleep(0.02)


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


def make_certificate():
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", KEY, "-out", CERTIFICATE], check=True, capture_output=True)
    BOTH.write_bytes(CERTIFICATE.read_bytes() + KEY.read_bytes())


CASES = [direct, with_tls, nginx, nginx_over_a_unix_socket, haproxy, caddy, socket_activation, units,
         restart, watchdog, gapless_queue]

if __name__ == "__main__":
    sys.exit(main())
