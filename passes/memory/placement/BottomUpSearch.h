// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Exact search for a placement within a capacity, and the quick placement that it starts from.
#ifndef TTE_PASSES_MEMORY_PLACEMENT_BOTTOMUPSEARCH_H
#define TTE_PASSES_MEMORY_PLACEMENT_BOTTOMUPSEARCH_H

#include "Problem.h"

#include <vector>

namespace tte::placement {

/// Which items come first where several may: the larger ones, those with more units times
/// sections, the longer ones, those alive where most is needed (of them the longer or those with
/// more units times sections), or those alive where searches failed most, summed up or weighted by
/// length.
enum class Preference { Size, Area, Length, Demand, DemandArea, Failures, LongFailures };

/// Failures by section: how much of a search ended there. Older ones count less.
class FailureCount {
public:
  explicit FailureCount(const Problem &problem) : shares(problem.sections.size(), 0) {}

  /// Adds a search that failed so often in each section.
  void add(const std::vector<int64_t> &failures);
  double getSum(const Item &item) const;
  double getLargest(const Item &item) const;

private:
  std::vector<double> shares;
};

/// The numbers of the items, those preferred first. A seed other than 0 blurs the preference.
std::vector<int> rankItems(const Problem &problem, Preference preference, unsigned seed,
                           const FailureCount &failures);

/// Puts one item after another at the lowest safe offset.
std::vector<int64_t> placeFirstFit(const Problem &problem, const std::vector<int> &order);

/// Looks for offsets within `capacity`; `order` says what to try first. Counts in `failures`, by
/// section, how often a section could not hold what it needs.
///
/// After Moffitt, "MiniMalloc: A Lightweight Memory Allocator for Hardware-Accelerated Machine
/// Learning" (ASPLOS 2023): only canonical placements, in which every item rests on another or on
/// the bottom, built from the bottom up; a branch ends where a section cannot hold what it still
/// needs, and falls apart where no lifetime holds it together. Items that may overlap can lie lower
/// than what was placed before them, so that infeasibility is proved only where there are none.
Outcome searchBottomUp(const Problem &problem, int64_t capacity, const std::vector<int> &order,
                       Effort &effort, std::vector<int64_t> &offsets,
                       std::vector<int64_t> &failures);

} // namespace tte::placement

#endif // TTE_PASSES_MEMORY_PLACEMENT_BOTTOMUPSEARCH_H
