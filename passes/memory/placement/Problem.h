// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Placement as searches see it: whole units instead of aligned bytes, numbered sections instead of
// times, and for each pair that is alive at once the distances that are safe.
#ifndef TTE_PASSES_MEMORY_PLACEMENT_PROBLEM_H
#define TTE_PASSES_MEMORY_PLACEMENT_PROBLEM_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace tte::placement {

/// A buffer: `size` units, alive in the sections from `begin` to before `end`.
struct Item {
  int64_t size = 0;
  int begin = 0, end = 0;
  int64_t fixed = -1; // offset in units, or -1 where it is to be found
};

/// Safe distances offset(item) - offset(self): at most `below`, at least `above`, or none where
/// `mayEqual`. Those of disjoint buffers are minus the size of `item` and the size of self.
struct Neighbor {
  int item;
  int64_t below, above;
  bool mayEqual;
  bool mayOverlap;
};

/// Buffers whose lifetimes hang together. Every section has another set of items, and none a part
/// of another's.
struct Problem {
  std::vector<Item> items;
  std::vector<std::vector<int>> sections;       // items alive, by section
  std::vector<std::vector<Neighbor>> neighbors; // by item: those alive at once
  std::vector<int64_t> shared; // by section: the most units that its items can have in common

  /// The units that a section needs at least.
  int64_t getDemand(int section) const;
  int64_t getLargestDemand() const;
  int64_t getHeight(const std::vector<int64_t> &offsets) const;
  /// Whether all pairs keep a safe distance and all fixed items lie where they must.
  bool isSafe(const std::vector<int64_t> &offsets) const;
};

/// Found: a placement within the capacity. Infeasible: proof that there is none.
enum class Outcome { Found, Infeasible, Undecided };

/// What a search may spend. `left` goes down with the work done, in steps that take about as long
/// on every problem; `stop` and `deadline` end the search from outside.
struct Effort {
  int64_t left;
  const std::atomic<bool> *stop;
  std::optional<std::chrono::steady_clock::time_point> deadline;

  bool isSpent() const {
    return left <= 0 || stop->load(std::memory_order_relaxed) ||
           (deadline && std::chrono::steady_clock::now() >= *deadline);
  }
};

} // namespace tte::placement

#endif // TTE_PASSES_MEMORY_PLACEMENT_PROBLEM_H
