// Times what a row costs, in the same way as benches/emit.rs: the best of several rounds.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

inline int rounds() {
    const char *text = std::getenv("ROUNDS");
    return text ? std::atoi(text) : 15;
}

template <typename Value> void keep(Value &value) { asm volatile("" : : "g"(&value) : "memory"); }

// Prints the time of one of the `parts` that each run of `work` does.
template <typename Work> void row(const char *name, int runs, int parts, Work &&work) {
    double best = std::numeric_limits<double>::max();
    for (int round = 0; round < rounds(); ++round) {
        const auto begin = std::chrono::steady_clock::now();
        for (int run = 0; run < runs; ++run)
            work();
        const std::chrono::duration<double, std::nano> elapsed =
            std::chrono::steady_clock::now() - begin;
        best = std::min(best, elapsed.count() / runs / parts);
    }
    std::printf("%s\t%.1f\n", name, best);
}
