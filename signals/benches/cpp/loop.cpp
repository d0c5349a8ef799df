// A plain loop over closures: what calling slots costs without signals.
#include "bench.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

int main() {
    for (const int slots : {0, 1, 8, 64}) {
        std::uint64_t sum = 0;
        std::vector<std::function<void(const std::uint64_t &)>> functions;
        for (int slot = 0; slot < slots; ++slot)
            functions.emplace_back([&sum](const std::uint64_t &value) { sum += value; });
        row(("emit " + std::to_string(slots)).c_str(), 200000 / (slots + 1), 1, [&] {
            keep(functions);
            for (auto &function : functions)
                function(1);
        });
        keep(sum);
    }
    std::vector<std::function<void(const std::uint64_t &)>> functions;
    std::uint64_t sum = 0;
    row("connect + disconnect", 20000, 1, [&] {
        functions.emplace_back([&sum](const std::uint64_t &value) { sum += value; });
        keep(functions);
        functions.pop_back();
    });
}
