// Qt's signals and slots, with functors as slots.
#include "bench.h"

#include <QCoreApplication>
#include <QThread>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

class Sender : public QObject {
    Q_OBJECT
Q_SIGNALS:
    void changed(quint64 value);
};

class Receiver : public QObject {
    Q_OBJECT
public:
    quint64 sum = 0;
    void add(quint64 value) { sum += value; }
};

static void post_to_thread(quint64 &count) {
    const int posts = 100000;
    Sender sender;
    Receiver receiver;
    QObject::connect(&sender, &Sender::changed, &receiver, [&count](quint64) { ++count; });
    row("post to another thread", 1, posts, [&] {
        count = 0;
        std::unique_ptr<QThread> thread(QThread::create([&] {
            for (int i = 0; i < posts; ++i)
                Q_EMIT sender.changed(i);
        }));
        thread->start();
        while (count < posts)
            QCoreApplication::sendPostedEvents();
        thread->wait();
    });
}

static void queued(quint64 &sum) {
    Sender sender;
    Receiver receiver;
    QObject::connect(
        &sender, &Sender::changed, &receiver, [&sum](quint64 value) { sum += value; },
        Qt::QueuedConnection);
    row("queued, same thread", 200, 100, [&] {
        for (int i = 0; i < 100; ++i)
            Q_EMIT sender.changed(i);
        QCoreApplication::sendPostedEvents();
    });
}

// Does one thing often, for benches/instructions, as examples/instructions.rs does.
static void do_often(const QByteArray &what, quint64 &sum) {
    Sender sender;
    Receiver receiver;
    const auto slot = [&sum](quint64 value) { sum += value; };
    const int slots = what == "emit" ? 1 : what == "emit-8" ? 8 : what == "emit-64" ? 64 : 0;
    for (int i = 0; i < slots; ++i)
        QObject::connect(&sender, &Sender::changed, slot);
    if (what == "emit-to-receiver")
        QObject::connect(&sender, &Sender::changed, &receiver, &Receiver::add);
    if (what == "queued")
        QObject::connect(&sender, &Sender::changed, &receiver, slot, Qt::QueuedConnection);
    for (quint64 value = 0; value < 10000; ++value) {
        if (what == "connect")
            QObject::disconnect(
                QObject::connect(&sender, &Sender::changed, &receiver, &Receiver::add));
        else if (what == "construct") {
            Sender other;
            QObject::connect(&other, &Sender::changed, &receiver, &Receiver::add);
        } else if (what != "nothing")
            Q_EMIT sender.changed(value);
        if (what == "queued")
            QCoreApplication::sendPostedEvents();
    }
}

int main(int argc, char **argv) {
    QCoreApplication application(argc, argv);
    quint64 sum = 0;
    if (argc > 1) {
        do_often(argv[1], sum);
        return 0;
    }
    const auto slot = [&sum](quint64 value) { sum += value; };
    for (const int slots : {0, 1, 8, 64}) {
        Sender sender;
        for (int i = 0; i < slots; ++i)
            QObject::connect(&sender, &Sender::changed, slot);
        row(("emit " + std::to_string(slots)).c_str(), 200000 / (slots + 1), 1, [&] {
            keep(sender);
            Q_EMIT sender.changed(1);
        });
    }
    {
        Sender sender;
        Receiver receiver;
        QObject::connect(&sender, &Sender::changed, &receiver, &Receiver::add);
        row("emit 1, tracked receiver", 100000, 1, [&] { Q_EMIT sender.changed(1); });
    }
    {
        Sender sender;
        row("connect + disconnect", 20000, 1, [&] {
            QObject::disconnect(QObject::connect(&sender, &Sender::changed, slot));
        });
    }
    row("construct + drop", 20000, 1, [&] {
        Sender sender;
        keep(sender);
    });
    row("construct + connect + drop", 20000, 1, [&] {
        Sender sender;
        QObject::connect(&sender, &Sender::changed, slot);
    });
    queued(sum);
    post_to_thread(sum);
    keep(sum);
}

#include "qt.moc"
