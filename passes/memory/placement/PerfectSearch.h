// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Exact search for placements that leave no byte of the capacity free.
#ifndef TTE_PASSES_MEMORY_PLACEMENT_PERFECTSEARCH_H
#define TTE_PASSES_MEMORY_PLACEMENT_PERFECTSEARCH_H

#include "Problem.h"

namespace tte::placement {

/// Whether every section of `problem` needs all of `capacity`, no pair may overlap and no offset is
/// fixed.
bool isPerfect(const Problem &problem, int64_t capacity);

struct SweepStrategy {
  bool forwards = true; // in time
  unsigned seed = 0;    // for the order of choices that look alike
};

/// Sweeps over the sections of a perfect problem. Where items end, what they leave must be filled
/// by those that begin: each consecutive run of the one by as many bytes of the other. A PQ-tree
/// holds all orders that the runs so far allow, so that only the choice of runs is searched.
Outcome searchPerfect(const Problem &problem, const SweepStrategy &strategy, Effort &effort,
                      std::vector<int64_t> &offsets);

} // namespace tte::placement

#endif // TTE_PASSES_MEMORY_PLACEMENT_PERFECTSEARCH_H
