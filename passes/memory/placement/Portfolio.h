// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Searches with several strategies, on two threads, with the same result each time.
#ifndef TTE_PASSES_MEMORY_PLACEMENT_PORTFOLIO_H
#define TTE_PASSES_MEMORY_PLACEMENT_PORTFOLIO_H

#include "Problem.h"

#include <chrono>
#include <optional>
#include <vector>

namespace tte::placement {

struct Limits {
  int64_t effort; // of all searches for one capacity
  std::optional<std::chrono::steady_clock::time_point> deadline;
};

/// The best of first fit in several orders.
std::vector<int64_t> placeQuickly(const Problem &problem);

/// Looks for offsets within `capacity`. Runs strategies in turn, two at a time, most of them
/// briefly and some longer (Luby, Sinclair and Zuckerman, "Optimal Speedup of Las Vegas
/// Algorithms", 1993). Of two that succeed at once the first counts.
Outcome searchPortfolio(const Problem &problem, int64_t capacity, const Limits &limits,
                        std::vector<int64_t> &offsets);

} // namespace tte::placement

#endif // TTE_PASSES_MEMORY_PLACEMENT_PORTFOLIO_H
