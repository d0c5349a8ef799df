"""Takes Qt's own QWebSocket through the cases: `qt_client.py ECHO_URL [COMMAND_URL [COMPRESSION]]`."""

import re
import sys
from collections import deque
from collections.abc import Callable

from PyQt6.QtCore import QCoreApplication, QDeadlineTimer, QEventLoop, QTimer, QUrl
from PyQt6.QtNetwork import QAbstractSocket, QNetworkRequest
from PyQt6.QtWebSockets import QWebSocket, QWebSocketHandshakeOptions, QWebSocketProtocol

import commands
import peer
from cases import Close, Payload


class QtPeer(peer.Peer):
    """A QWebSocket through PyQt6."""

    name = "qt"
    cannot = {
        "split characters": "Qt 6.4 to 6.9.0 refuses characters that two frames share",
        "compression": "Qt has no extensions",
        "traffic": "Qt has no extensions",
    }

    def __init__(self) -> None:
        self._socket = QWebSocket()

    def open(self, opening: peer.Opening) -> None:
        self._socket.abort()
        self._socket = QWebSocket(opening.origin)
        self._received: deque[Payload] = deque()
        self._pongs: deque[bytes] = deque()
        self._socket.textMessageReceived.connect(self._received.append)
        self._socket.binaryMessageReceived.connect(lambda data: self._received.append(bytes(data)))
        self._socket.pong.connect(lambda _elapsed, payload: self._pongs.append(bytes(payload)))
        request = QNetworkRequest(QUrl(opening.url))
        for name, value in opening.headers.items():
            request.setRawHeader(name.encode(), value.encode())
        options = QWebSocketHandshakeOptions()
        options.setSubprotocols(opening.subprotocols)
        self._socket.open(request, options)
        self._wait_for(QAbstractSocket.SocketState.ConnectedState)

    def refusal(self, opening: peer.Opening) -> int:
        try:
            self.open(opening)
        except ConnectionError as error:
            status = re.search(r"http status code: (\d+)", str(error))
            return int(status[1]) if status else 0
        return 101

    def subprotocol(self) -> str:
        return self._socket.subprotocol()

    def send(self, payload: Payload) -> None:
        if isinstance(payload, str):
            self._socket.sendTextMessage(payload)
        else:
            self._socket.sendBinaryMessage(payload)

    def receive(self) -> Payload:
        self._wait("no message", lambda: self._received)
        return self._received.popleft()

    def send_fragmented(self, payload: Payload, size: int) -> None:
        self._socket.setOutgoingFrameSize(size)
        self.send(payload)

    def ping(self, payload: bytes) -> bytes:
        self._socket.ping(payload)
        self._wait("no pong", lambda: self._pongs)
        return self._pongs.popleft()

    def close(self, code: int, reason: str) -> Close:
        # Up to Qt 6.9 `close` does not wait for the server's close frame, so these are our own.
        self._socket.close(QWebSocketProtocol.CloseCode(code), reason)
        return self.ending()

    def ending(self) -> Close:
        self._wait_for(QAbstractSocket.SocketState.UnconnectedState)
        return self._told()

    def _told(self) -> Close:
        return self._socket.closeCode().value, self._socket.closeReason()

    def _wait_for(self, state: QAbstractSocket.SocketState) -> None:
        self._wait(f"not in {state.name}", lambda: self._socket.state() == state)

    def _wait(self, problem: str, is_done: Callable[[], object]) -> None:
        deadline = QDeadlineTimer(int(peer.DEADLINE * 1000))
        waker = QTimer()
        waker.start(deadline.remainingTime())
        while not is_done():
            if self._socket.state() == QAbstractSocket.SocketState.UnconnectedState:
                raise ConnectionError(f"{problem}: {self._told()}, {self._socket.errorString()}")
            if deadline.hasExpired():
                raise TimeoutError(problem)
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)


def allow_application_codes() -> None:
    """Makes PyQt6's CloseCode, a closed enum, take 3000 to 4999 as the C++ one does."""

    def missing(enum: type, value: int) -> object:
        member = object.__new__(enum)
        member._name_, member._value_ = f"CloseCode{value}", value
        return member

    QWebSocketProtocol.CloseCode._missing_ = classmethod(missing)


if __name__ == "__main__":
    application = QCoreApplication(sys.argv)
    allow_application_codes()
    sys.exit(commands.run_all(QtPeer(), *sys.argv[1:]) > 0)
