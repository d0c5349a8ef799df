// An echo server as Qt programs have it; `porting.rs` is its port, part by part in the same order.
//
// Debian: g++ -fPIC porting.cpp -o porting $(pkg-config --cflags --libs Qt6WebSockets)

#include <QCoreApplication>
#include <QList>
#include <QTextStream>
#include <QWebSocket>
#include <QWebSocketServer>

class EchoServer : public QObject
{
public:
    explicit EchoServer(QObject *parent = nullptr)
        : QObject(parent)
        , m_server(new QWebSocketServer("Porting", QWebSocketServer::NonSecureMode, this))
    {
        connect(m_server, &QWebSocketServer::newConnection, this, &EchoServer::onNewConnection);
        connect(m_server, &QWebSocketServer::closed, qApp, &QCoreApplication::quit);
    }

    ~EchoServer() override
    {
        m_server->close();
        qDeleteAll(m_clients);
    }

    bool listen(quint16 port)
    {
        return m_server->listen(QHostAddress::Any, port);
    }

    QWebSocketServer *server() const
    {
        return m_server;
    }

private:
    void onNewConnection()
    {
        while (QWebSocket *socket = m_server->nextPendingConnection()) {
            connect(socket, &QWebSocket::textMessageReceived, this, &EchoServer::onText);
            connect(socket, &QWebSocket::binaryMessageReceived, this, &EchoServer::onBinary);
            connect(socket, &QWebSocket::disconnected, this, &EchoServer::onDisconnected);
            m_clients.append(socket);
        }
    }

    void onText(const QString &text)
    {
        ++m_messages;
        qobject_cast<QWebSocket *>(sender())->sendTextMessage(text);
    }

    void onBinary(const QByteArray &bytes)
    {
        ++m_messages;
        qobject_cast<QWebSocket *>(sender())->sendBinaryMessage(bytes);
    }

    void onDisconnected()
    {
        auto *socket = qobject_cast<QWebSocket *>(sender());
        m_clients.removeOne(socket);
        socket->deleteLater();
        QTextStream(stderr) << m_messages << " messages, " << m_clients.size() << " clients left\n";
    }

    QWebSocketServer *m_server;
    QList<QWebSocket *> m_clients;
    int m_messages = 0;
};

int main(int argc, char *argv[])
{
    QCoreApplication app(argc, argv);
    const QString port = app.arguments().value(1, "1234");

    EchoServer echo;
    if (!echo.listen(port.toUShort())) {
        QTextStream(stderr) << "cannot start: " << echo.server()->errorString() << "\n";
        return 1;
    }
    QTextStream(stdout) << "listening on " << echo.server()->serverUrl().toString() << "\n";
    return app.exec();
}
