"""An echo server on Qt's own QWebSocketServer, which knows the commands of client.rs."""

import sys

from PyQt6.QtCore import QCoreApplication
from PyQt6.QtNetwork import QHostAddress
from PyQt6.QtWebSockets import QWebSocket, QWebSocketProtocol, QWebSocketServer

from qt_client import allow_application_codes


def serve(server: QWebSocketServer, sockets: set[QWebSocket]) -> None:
    socket = server.nextPendingConnection()
    sockets.add(socket)

    def on_text(text: str) -> None:
        command, _, argument = text.partition(" ")
        if command == "close":
            code, _, reason = argument.partition(" ")
            socket.close(QWebSocketProtocol.CloseCode(int(code)), reason)
        elif command == "header":
            socket.sendTextMessage(bytes(socket.request().rawHeader(argument.encode())).decode())
        elif text == "path":
            socket.sendTextMessage(bytes(socket.requestUrl().toEncoded()).decode())
        elif command == "ping":
            socket.ping(argument.encode())
        else:
            if command == "frames":
                socket.setOutgoingFrameSize(int(argument))
            socket.sendTextMessage(text)

    socket.textMessageReceived.connect(on_text)
    socket.binaryMessageReceived.connect(socket.sendBinaryMessage)
    socket.pong.connect(lambda _elapsed, payload: socket.sendTextMessage(bytes(payload).decode()))
    socket.disconnected.connect(lambda: sockets.discard(socket))


def main() -> None:
    application = QCoreApplication(sys.argv)
    allow_application_codes()
    server = QWebSocketServer("Qt", QWebSocketServer.SslMode.NonSecureMode)
    server.setSupportedSubprotocols(["chat"])
    server.originAuthenticationRequired.connect(
        lambda question: question.setAllowed("evil" not in question.origin())
    )
    sockets: set[QWebSocket] = set()
    server.newConnection.connect(lambda: serve(server, sockets))
    if not server.listen(QHostAddress("127.0.0.1"), 0):
        sys.exit(server.errorString())
    print(f"listening on ws://127.0.0.1:{server.serverPort()}", flush=True)
    application.exec()


if __name__ == "__main__":
    main()
