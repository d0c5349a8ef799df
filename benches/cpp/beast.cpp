// An echo server on Boost.Beast, asynchronous and on one thread; with `--broadcast` each message
// goes to all clients, its sender included. With `--deflate` it compresses as Beast does by default,
// and with `--deflate-without-history` each message by itself.
//
// Tuned as its documentation advises for one thread: a concurrency hint of 1, a socket of a known
// executor, no compression unless asked for, no fragmentation of what is sent.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

static websocket::permessage_deflate compression;

struct Message {
    std::string bytes;
    bool isBinary;
};

class Session;
using Sessions = std::vector<Session *>;

class Session : public std::enable_shared_from_this<Session> {
public:
    // Without a list of sessions it echoes.
    Session(Socket socket, Sessions *sessions) : m_stream(std::move(socket)), m_sessions(sessions) {}

    ~Session() {
        if (m_sessions)
            m_sessions->erase(std::remove(m_sessions->begin(), m_sessions->end(), this),
                              m_sessions->end());
    }

    void start() {
        m_stream.next_layer().set_option(tcp::no_delay(true));
        m_stream.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
        m_stream.auto_fragment(false);
        m_stream.set_option(compression);
        m_stream.async_accept([self = shared_from_this()](error_code error) {
            if (error)
                return;
            if (self->m_sessions)
                self->m_sessions->push_back(self.get());
            self->read();
        });
    }

private:
    void read() {
        m_stream.async_read(m_input, [self = shared_from_this()](error_code error, std::size_t) {
            if (error)
                return;
            if (self->m_sessions)
                self->broadcast();
            else
                self->echo();
        });
    }

    void echo() {
        m_stream.binary(m_stream.got_binary());
        m_stream.async_write(m_input.data(),
                             [self = shared_from_this()](error_code error, std::size_t) {
                                 if (error)
                                     return;
                                 self->m_input.clear();
                                 self->read();
                             });
    }

    void broadcast() {
        auto message = std::make_shared<const Message>(
            Message{beast::buffers_to_string(m_input.data()), m_stream.got_binary()});
        m_input.clear();
        for (Session *session : *m_sessions)
            session->send(message);
        read();
    }

    void send(const std::shared_ptr<const Message> &message) {
        m_output.push_back(message);
        if (m_output.size() == 1)
            write();
    }

    // One message is written at a time; the others wait in the queue.
    void write() {
        const Message &message = *m_output.front();
        m_stream.binary(message.isBinary);
        m_stream.async_write(asio::buffer(message.bytes),
                             [self = shared_from_this()](error_code error, std::size_t) {
                                 if (error)
                                     return;
                                 self->m_output.pop_front();
                                 if (!self->m_output.empty())
                                     self->write();
                             });
    }

    websocket::stream<Socket> m_stream;
    beast::flat_buffer m_input;
    std::deque<std::shared_ptr<const Message>> m_output;
    Sessions *m_sessions;
};

static void accept(Acceptor &acceptor, Sessions *sessions) {
    acceptor.async_accept([&acceptor, sessions](error_code error, Socket socket) {
        if (!error)
            std::make_shared<Session>(std::move(socket), sessions)->start();
        accept(acceptor, sessions);
    });
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    const bool isBroadcast = std::strcmp(mode, "--broadcast") == 0;
    compression.server_enable = std::strncmp(mode, "--deflate", 9) == 0;
    const bool isAlone = std::strcmp(mode, "--deflate-without-history") == 0;
    compression.server_no_context_takeover = isAlone;
    compression.client_no_context_takeover = isAlone;
    // They outlive the context, which drops the sessions.
    Sessions sessions;
    asio::io_context context(1);
    Acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    std::printf("listening on ws://127.0.0.1:%u\n", unsigned(acceptor.local_endpoint().port()));
    std::fflush(stdout);
    accept(acceptor, isBroadcast ? &sessions : nullptr);
    context.run();
}
