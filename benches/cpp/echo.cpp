// An echo server on QtWebSockets, as a Qt program has it.
#include <QCoreApplication>
#include <QWebSocket>
#include <QWebSocketServer>

#include <cstdio>

static void accept(QWebSocketServer &server) {
    QWebSocket *socket = server.nextPendingConnection();
    QObject::connect(socket, &QWebSocket::textMessageReceived, socket,
                     [socket](const QString &message) { socket->sendTextMessage(message); });
    QObject::connect(socket, &QWebSocket::binaryMessageReceived, socket,
                     [socket](const QByteArray &message) { socket->sendBinaryMessage(message); });
    QObject::connect(socket, &QWebSocket::disconnected, socket, &QObject::deleteLater);
}

int main(int count, char **arguments) {
    QCoreApplication application(count, arguments);
    QWebSocketServer server("Echo Server", QWebSocketServer::NonSecureMode);
    // As many clients as come at once; without this the bench would measure refusals.
    server.setMaxPendingConnections(20000);
    QObject::connect(&server, &QWebSocketServer::newConnection, &server,
                     [&server] { accept(server); });
    if (!server.listen(QHostAddress::LocalHost)) {
        std::fprintf(stderr, "%s\n", qPrintable(server.errorString()));
        return 1;
    }
    std::printf("listening on ws://127.0.0.1:%u\n", unsigned(server.serverPort()));
    std::fflush(stdout);
    return application.exec();
}
