// A chat server on QtWebSockets, as a Qt program has it: what one says, all others hear.
#include <QCoreApplication>
#include <QList>
#include <QWebSocket>
#include <QWebSocketServer>

#include <cstdio>

class Chat : public QObject {
public:
    Chat() : m_server("Chat Server", QWebSocketServer::NonSecureMode) {
        // As many clients as come at once; without this the bench would measure refusals.
        m_server.setMaxPendingConnections(20000);
        connect(&m_server, &QWebSocketServer::newConnection, this, &Chat::onNewConnection);
    }

    bool listen() { return m_server.listen(QHostAddress::LocalHost); }
    unsigned port() const { return m_server.serverPort(); }

private:
    void onNewConnection() {
        QWebSocket *socket = m_server.nextPendingConnection();
        connect(socket, &QWebSocket::textMessageReceived, this, &Chat::processMessage);
        connect(socket, &QWebSocket::disconnected, this, &Chat::socketDisconnected);
        m_clients << socket;
    }

    void processMessage(const QString &message) {
        auto *from = qobject_cast<QWebSocket *>(sender());
        for (QWebSocket *client : std::as_const(m_clients)) {
            if (client != from)
                client->sendTextMessage(message);
        }
    }

    void socketDisconnected() {
        auto *client = qobject_cast<QWebSocket *>(sender());
        m_clients.removeAll(client);
        client->deleteLater();
    }

    QWebSocketServer m_server;
    QList<QWebSocket *> m_clients;
};

int main(int count, char **arguments) {
    QCoreApplication application(count, arguments);
    Chat chat;
    if (!chat.listen())
        return 1;
    std::printf("listening on ws://127.0.0.1:%u\n", chat.port());
    std::fflush(stdout);
    return application.exec();
}
