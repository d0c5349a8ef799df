// boost::signals2, with its default mutex.
#include "bench.h"

#include <boost/signals2.hpp>

#include <cstdint>
#include <memory>
#include <string>

using Signal = boost::signals2::signal<void(const std::uint64_t &)>;

int main() {
    std::uint64_t sum = 0;
    const auto slot = [&sum](const std::uint64_t &value) { sum += value; };
    for (const int slots : {0, 1, 8, 64}) {
        Signal signal;
        for (int i = 0; i < slots; ++i)
            signal.connect(slot);
        row(("emit " + std::to_string(slots)).c_str(), 200000 / (slots + 1), 1, [&] {
            keep(signal);
            signal(1);
        });
    }
    {
        Signal signal;
        const auto receiver = std::make_shared<std::uint64_t>(0);
        signal.connect(Signal::slot_type([target = receiver.get()](const std::uint64_t &value) {
                           *target += value;
                       }).track_foreign(receiver));
        row("emit 1, tracked receiver", 100000, 1, [&] {
            keep(signal);
            signal(1);
        });
    }
    {
        Signal signal;
        row("connect + disconnect", 20000, 1, [&] { signal.connect(slot).disconnect(); });
    }
    row("construct + drop", 20000, 1, [&] {
        Signal signal;
        keep(signal);
    });
    row("construct + connect + drop", 20000, 1, [&] {
        Signal signal;
        signal.connect(slot);
    });
    keep(sum);
}
