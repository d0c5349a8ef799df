// An echo server on QtWebSockets, as a Qt program has it; with `--tls` it speaks wss, with the
// certificate `localhost.cert` and the key `localhost.key` of the folder that it runs in. With
// `--broadcast` each message goes to all clients, its sender included.
#include <QCoreApplication>
#include <QFile>
#include <QList>
#include <QSslCertificate>
#include <QSslConfiguration>
#include <QSslKey>
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

static void acceptForBroadcasts(QWebSocketServer &server, QList<QWebSocket *> &clients) {
    QWebSocket *socket = server.nextPendingConnection();
    clients << socket;
    QObject::connect(socket, &QWebSocket::textMessageReceived, socket,
                     [&clients](const QString &message) {
                         for (QWebSocket *client : std::as_const(clients))
                             client->sendTextMessage(message);
                     });
    QObject::connect(socket, &QWebSocket::binaryMessageReceived, socket,
                     [&clients](const QByteArray &message) {
                         for (QWebSocket *client : std::as_const(clients))
                             client->sendBinaryMessage(message);
                     });
    QObject::connect(socket, &QWebSocket::disconnected, socket, [socket, &clients] {
        clients.removeAll(socket);
        socket->deleteLater();
    });
}

static QSslConfiguration tls() {
    QFile key("localhost.key");
    if (!key.open(QIODevice::ReadOnly))
        std::fprintf(stderr, "no key\n");
    QSslConfiguration configuration = QSslConfiguration::defaultConfiguration();
    configuration.setLocalCertificateChain(QSslCertificate::fromPath("localhost.cert"));
    configuration.setPrivateKey(QSslKey(key.readAll(), QSsl::Ec));
    configuration.setPeerVerifyMode(QSslSocket::VerifyNone);
    return configuration;
}

int main(int count, char **arguments) {
    QCoreApplication application(count, arguments);
    const bool isSecure = application.arguments().contains("--tls");
    QList<QWebSocket *> clients;
    QWebSocketServer server("Echo Server", isSecure ? QWebSocketServer::SecureMode
                                                    : QWebSocketServer::NonSecureMode);
    if (isSecure)
        server.setSslConfiguration(tls());
    // As many clients as come at once; without this the bench would measure refusals.
    server.setMaxPendingConnections(20000);
    const bool isBroadcast = application.arguments().contains("--broadcast");
    QObject::connect(&server, &QWebSocketServer::newConnection, &server,
                     [&server, &clients, isBroadcast] {
                         if (isBroadcast)
                             acceptForBroadcasts(server, clients);
                         else
                             accept(server);
                     });
    if (!server.listen(QHostAddress::LocalHost)) {
        std::fprintf(stderr, "%s\n", qPrintable(server.errorString()));
        return 1;
    }
    std::printf("listening on ws://127.0.0.1:%u\n", unsigned(server.serverPort()));
    std::fflush(stdout);
    return application.exec();
}
