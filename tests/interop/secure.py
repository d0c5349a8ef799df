"""wss both ways, with what others wrote: `secure.py EXAMPLES FOLDER`.

Starts `sslechoserver` and lets the clients of Qt, Python, Node, OpenSSL and Chromium talk to it;
then lets `sslechoclient` talk to the servers of Qt, Python and Node. They all use the certificate
that `sslechoserver` makes in FOLDER.
"""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import websockets
from PyQt6.QtCore import QCoreApplication, QEventLoop, QTimer, QUrl
from PyQt6.QtNetwork import QHostAddress, QSsl, QSslCertificate, QSslConfiguration, QSslKey, QSslSocket
from PyQt6.QtWebSockets import QWebSocket, QWebSocketServer

import pages
from chromium import start_browser

DEADLINE = 20
GREETING = "Hello, world!"
LONG = "grüße " * 50_000
TLS_1_3 = ssl.TLSVersion.TLSv1_3
PROTOCOLS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": TLS_1_3}
UNTRUSTED = "net::ERR_CERT_AUTHORITY_INVALID"
SAID = f'WebSocket connected\nMessage received: "{GREETING}"\n'


def main(examples: Path, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    failed = 0
    with start_server(examples) as port:
        for name, version in PROTOCOLS.items():
            failed += check(f"Python's client, {name}", LONG, lambda: python_client(port, version))
            failed += check(f"openssl s_client, {name}", True, lambda: s_client(port, name))
        failed += check("openssl s_client, TLS 1.1", False, lambda: s_client(port, "TLS 1.1"))
        failed += check("Qt's client", LONG, lambda: qt_client(port))
        failed += check("Node's client", LONG, lambda: node("client", port, LONG))
        failed += check("Chromium", GREETING, lambda: chromium(port, trusts=True))
        failed += check("Chromium, without trust", UNTRUSTED, lambda: chromium(port, trusts=False))
        failed += check("Python's client, after that", LONG, lambda: python_client(port, TLS_1_3))
    failed += check("a key in PKCS#1", LONG, lambda: pkcs1_key(examples))
    failed += check("Qt's server", SAID, lambda: qt_server(examples))
    failed += check("Python's server", SAID, lambda: asyncio.run(python_server(examples)))
    failed += check("Node's server", SAID, lambda: node_server(examples))
    return failed


def check(name: str, expected: object, action: Callable[[], object]) -> int:
    try:
        found = action()
        is_well, told = found == expected, "" if found == expected else f": {str(found)[:300]!r}"
    except Exception as error:  # noqa: BLE001: whatever it is, the next case is to run.
        is_well, told = False, f": {error!r}"
    print(f"{'ok' if is_well else 'not ok'} - secure: {name}{told}", flush=True)
    return not is_well


@contextmanager
def start_server(examples: Path, folder: str = ".") -> Iterator[int]:
    command = [examples / "sslechoserver", "--port", "0"]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        yield int(server.stdout.readline().rsplit(" ", 1)[1])
    finally:
        server.kill()


def pkcs1_key(examples: Path) -> str:
    folder = Path("pkcs1")
    folder.mkdir(exist_ok=True)
    generate = ["openssl", "genrsa", "-traditional", "-out", "localhost.key", "2048"]
    sign = ["openssl", "req", "-x509", "-key", "localhost.key", "-out", "localhost.cert"]
    sign += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    for command in (generate, sign):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    if "BEGIN RSA PRIVATE KEY" not in (folder / "localhost.key").read_text():
        raise RuntimeError("openssl has made another kind of key")
    with start_server(examples, str(folder)) as port:
        return python_client(port, TLS_1_3, str(folder / "localhost.cert"))


def python_client(port: int, version: ssl.TLSVersion, trusted: str = "localhost.cert") -> str:
    context = ssl.create_default_context(cafile=trusted)
    context.minimum_version = context.maximum_version = version

    async def echo() -> str:
        async with websockets.connect(f"wss://localhost:{port}", ssl=context) as socket:
            await socket.send(LONG)
            return await socket.recv()

    return asyncio.run(asyncio.wait_for(echo(), DEADLINE))


def s_client(port: int, protocol: str) -> bool:
    option = "-" + protocol.replace("TLS ", "tls").replace(".", "_")
    command = ["openssl", "s_client", "-connect", f"localhost:{port}", "-CAfile", "localhost.cert"]
    # A low security level, so that the server refuses old versions, not the client.
    command += ["-cipher", "DEFAULT@SECLEVEL=0", option, "-verify_return_error", "-brief"]
    request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    result = subprocess.run(command, input=request, capture_output=True, text=True, timeout=DEADLINE)
    return result.returncode == 0 and "Verification: OK" in result.stdout + result.stderr


def chromium(port: int, trusts: bool) -> str:
    home = Path(f"chromium-{trusts}").absolute()
    # Earlier and later versions look in different places.
    for place in (".pki", ".local/share/pki"):
        database = home / place / "nssdb"
        if not database.exists():
            database.mkdir(parents=True)
            certutil = ["certutil", "-d", f"sql:{database}"]
            subprocess.run([*certutil, "-N", "--empty-password"], check=True)
            if trusts:
                add = ["-A", "-n", "slotwork", "-t", "CP,,", "-i", "localhost.cert"]
                subprocess.run([*certutil, *add], check=True)
    # Only a page from this machine may always connect to it: `about:blank` is of no network.
    with start_browser(DEADLINE, str(home)) as browser, pages.serve() as address:
        page = browser.open_page(address)
        page.listen_to_network()
        told = page.evaluate(f"""
            await new Promise((done) => {{
                const socket = new WebSocket("wss://localhost:{port}");
                socket.onopen = () => socket.send("{GREETING}");
                socket.onmessage = ({{ data }}) => done(data);
                socket.onclose = ({{ code }}) => done(`closed: ${{code}}`);
            }})
        """)
        return browser.socket_errors.pop().rpartition(": ")[2] if browser.socket_errors else told


def configuration() -> QSslConfiguration:
    certificates = QSslCertificate.fromPath("localhost.cert")
    configuration = QSslConfiguration.defaultConfiguration()
    configuration.setCaCertificates(certificates)
    configuration.setLocalCertificateChain(certificates)
    key = QSslKey(Path("localhost.key").read_bytes(), QSsl.KeyAlgorithm.Ec)
    configuration.setPrivateKey(key)
    return configuration


def run_qt(is_done: Callable[[], object]) -> None:
    waker = QTimer()
    waker.start(DEADLINE * 1000)
    while not is_done() and waker.remainingTime() > 0:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)


def qt_client(port: int) -> str:
    socket, received = QWebSocket(), []
    socket.setSslConfiguration(configuration())
    socket.sslErrors.connect(lambda errors: received.extend(it.errorString() for it in errors))
    socket.connected.connect(lambda: socket.sendTextMessage(LONG))
    socket.textMessageReceived.connect(received.append)
    socket.open(QUrl(f"wss://localhost:{port}"))
    run_qt(lambda: received)
    socket.abort()
    return received[0]


def qt_server(examples: Path) -> str:
    server, sockets = QWebSocketServer("Qt", QWebSocketServer.SslMode.SecureMode), []
    settings = configuration()
    settings.setPeerVerifyMode(QSslSocket.PeerVerifyMode.VerifyNone)
    server.setSslConfiguration(settings)
    server.listen(QHostAddress(QHostAddress.SpecialAddress.LocalHost))

    def accept() -> None:
        socket = server.nextPendingConnection()
        sockets.append(socket)
        socket.textMessageReceived.connect(socket.sendTextMessage)

    server.newConnection.connect(accept)
    client = start_client(examples, server.serverPort())
    ticker = QTimer()
    ticker.start(20)
    run_qt(lambda: client.poll() is not None)
    return client.communicate(timeout=DEADLINE)[0]


def start_client(examples: Path, port: int) -> subprocess.Popen:
    command = [examples / "sslechoclient", "--port", str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def python_server(examples: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("localhost.cert", "localhost.key")

    async def echo(socket: websockets.ServerConnection) -> None:
        async for message in socket:
            await socket.send(message)

    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        client = start_client(examples, port)
        return (await asyncio.to_thread(client.communicate, timeout=DEADLINE))[0]


def node_command(*arguments: str) -> list[str]:
    script = Path(__file__).resolve().parent / "secure.cjs"
    return [os.environ.get("NODE", "node"), str(script), *arguments]


def node(role: str, port: int, text: str) -> str:
    command = node_command(role, str(port))
    result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=DEADLINE)
    return result.stdout or result.stderr


def node_server(examples: Path) -> str:
    server = subprocess.Popen(node_command("server"), stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        return start_client(examples, port).communicate(timeout=DEADLINE)[0]
    finally:
        server.kill()


if __name__ == "__main__":
    here = Path.cwd()
    application = QCoreApplication(sys.argv)
    sys.exit(main(here / sys.argv[1], here / sys.argv[2]) > 0)
