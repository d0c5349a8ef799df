// Qt's event loop: the rows of benches/event_loop, but for the echo server.
#include "../../signals/benches/cpp/bench.h"

#include <QCoreApplication>
#include <QThread>
#include <QTimer>

#include <functional>
#include <memory>
#include <vector>

class Sender : public QObject {
    Q_OBJECT
Q_SIGNALS:
    void changed(quint64 value);
};

static const int hour = 3600 * 1000;

static std::vector<std::unique_ptr<QTimer>> timers(int count) {
    std::vector<std::unique_ptr<QTimer>> timers;
    for (int i = 0; i < count; ++i) {
        timers.push_back(std::make_unique<QTimer>());
        timers.back()->setTimerType(Qt::PreciseTimer);
    }
    return timers;
}

static void start_and_stop(const char *name, int others, int runs) {
    const auto running = timers(others);
    for (auto &timer : running)
        timer->start(hour);
    const auto ring = timers(10);
    std::size_t next = 0;
    row(name, runs, 1, [&] {
        QTimer *timer = ring[next++ % ring.size()].get();
        timer->start(hour);
        timer->stop();
    });
}

static int left = 0;

static void count_down() {
    if (--left == 0)
        QCoreApplication::quit();
}

static void deferred_calls() {
    QObject receiver;
    quint64 count = 0;
    row("queued call, same thread, by 100", 1000, 100, [&] {
        for (int i = 0; i < 100; ++i)
            QMetaObject::invokeMethod(&receiver, [&count] { ++count; }, Qt::QueuedConnection);
        QCoreApplication::processEvents();
    });
    keep(count);
}

static void posts() {
    const int parts = 100000;
    QObject receiver;
    row("post to another thread, call", 1, parts, [&] {
        left = parts;
        std::unique_ptr<QThread> thread(QThread::create([&] {
            for (int i = 0; i < parts; ++i)
                QMetaObject::invokeMethod(&receiver, count_down, Qt::QueuedConnection);
        }));
        thread->start();
        QCoreApplication::exec();
        thread->wait();
    });
}

static void queued_slots() {
    const int parts = 100000;
    Sender sender;
    QObject receiver;
    QObject::connect(&sender, &Sender::changed, &receiver, [](quint64) { count_down(); });
    row("post to another thread, slot", 1, parts, [&] {
        left = parts;
        std::unique_ptr<QThread> thread(QThread::create([&] {
            for (int i = 0; i < parts; ++i)
                Q_EMIT sender.changed(1);
        }));
        thread->start();
        QCoreApplication::exec();
        thread->wait();
    });
}

// A thread with an event loop and an object in it.
struct Peer {
    QThread thread;
    QObject object;

    Peer() {
        object.moveToThread(&thread);
        thread.start();
    }

    ~Peer() {
        thread.quit();
        thread.wait();
    }
};

static void round_trips_of_calls() {
    const int parts = 20000;
    Peer peer;
    QObject here;
    std::function<void()> again = [&] {
        QMetaObject::invokeMethod(
            &peer.object,
            [&] {
                QMetaObject::invokeMethod(
                    &here,
                    [&] {
                        count_down();
                        if (left > 0)
                            again();
                    },
                    Qt::QueuedConnection);
            },
            Qt::QueuedConnection);
    };
    row("round trip, call", 1, parts, [&] {
        left = parts;
        again();
        QCoreApplication::exec();
    });
}

static void round_trips_of_signals() {
    const int parts = 20000;
    Sender ping, pong;
    Peer peer;
    QObject here;
    QObject::connect(&ping, &Sender::changed, &peer.object,
                     [&](quint64 value) { Q_EMIT pong.changed(value); });
    QObject::connect(&pong, &Sender::changed, &here, [&](quint64 value) {
        count_down();
        if (left > 0)
            Q_EMIT ping.changed(value);
    });
    row("round trip, slot", 1, parts, [&] {
        left = parts;
        Q_EMIT ping.changed(1);
        QCoreApplication::exec();
    });
}

int main(int argc, char **argv) {
    QCoreApplication application(argc, argv);
    start_and_stop("timer start + stop", 0, 10000);
    start_and_stop("timer start + stop, 1,000 others", 1000, 10000);
    start_and_stop("timer start + stop, 10,000 others", 10000, 1000);
    deferred_calls();
    posts();
    queued_slots();
    round_trips_of_calls();
    round_trips_of_signals();
}

#include "event_loop.moc"
