// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tte/Passes/Placement.h"
#include "placement/BottomUpSearch.h"
#include "placement/Portfolio.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace llvm;
using namespace tte;
using namespace tte::placement;

//===----------------------------------------------------------------------===//
// From bytes to units
//===----------------------------------------------------------------------===//

namespace {
/// Buffers whose lifetimes hang together, by number, and the same as a problem.
struct Component {
  SmallVector<unsigned> buffers;
  Problem problem;
};

class ProblemBuilder {
public:
  ProblemBuilder(ArrayRef<Lifetime> buffers, ArrayRef<OverlapPair> pairs, int64_t alignment)
      : buffers(buffers), unit(alignment) {
    for (const OverlapPair &pair : pairs)
      overlaps.try_emplace({pair.operand, pair.result}, pair.overlap);
    // Where all heights are sums of sizes, they share the divisors of these.
    int64_t divisor = 0;
    for (const Lifetime &buffer : buffers)
      divisor = std::gcd(divisor, int64_t(alignTo(buffer.bytes, alignment)));
    if (divisor && pairs.empty() && none_of(buffers, [](auto &b) { return b.fixedOffset; }))
      unit = divisor;
  }

  int64_t getUnit() const { return unit; }
  SmallVector<Component> build() const;

private:
  Problem buildProblem(ArrayRef<unsigned> members) const;
  Neighbor getNeighbor(unsigned self, unsigned other, int item) const;
  /// Adds what overlaps save where a result begins: an operand has but one.
  void addShared(ArrayRef<unsigned> members, Problem &problem) const;

  ArrayRef<Lifetime> buffers;
  int64_t unit;                                              // bytes
  DenseMap<std::pair<unsigned, unsigned>, Overlap> overlaps; // by operand and result
};
} // namespace

SmallVector<Component> ProblemBuilder::build() const {
  SmallVector<unsigned> order;
  for (auto [index, buffer] : enumerate(buffers))
    if (buffer.bytes > 0)
      order.push_back(index);
  stable_sort(order, [&](unsigned a, unsigned b) { return buffers[a].first < buffers[b].first; });
  SmallVector<Component> components;
  int64_t last = 0;
  for (unsigned index : order) {
    if (components.empty() || buffers[index].first > last) {
      components.emplace_back();
      last = buffers[index].last;
    }
    components.back().buffers.push_back(index);
    last = std::max(last, buffers[index].last);
  }
  for (Component &component : components)
    component.problem = buildProblem(component.buffers);
  return components;
}

/// How buffer `other`, which is `item` in the problem, may lie to buffer `self`.
Neighbor ProblemBuilder::getNeighbor(unsigned self, unsigned other, int item) const {
  int64_t selfBytes = buffers[self].bytes, otherBytes = buffers[other].bytes;
  int64_t below = -otherBytes, above = selfBytes; // of offset(other) - offset(self)
  bool mayEqual = false;
  auto asOperand = overlaps.find({self, other}), asResult = overlaps.find({other, self});
  bool mayOverlap = asOperand != overlaps.end() || asResult != overlaps.end();
  if (asOperand != overlaps.end()) {
    const Overlap &overlap = asOperand->second;
    if (overlap.traversal == Overlap::Traversal::Ascending)
      below = std::max(below, -overlap.lag);
    else if (overlap.traversal == Overlap::Traversal::Descending)
      above = std::min(above, selfBytes - otherBytes + overlap.lag);
    else
      mayEqual = true;
  } else if (asResult != overlaps.end()) {
    const Overlap &overlap = asResult->second;
    if (overlap.traversal == Overlap::Traversal::Ascending)
      above = std::min(above, overlap.lag);
    else if (overlap.traversal == Overlap::Traversal::Descending)
      below = std::max(below, selfBytes - otherBytes - overlap.lag);
    else
      mayEqual = true;
  }
  return {item, divideFloorSigned(below, unit), divideCeilSigned(above, unit), mayEqual,
          mayOverlap};
}

void ProblemBuilder::addShared(ArrayRef<unsigned> members, Problem &problem) const {
  DenseMap<unsigned, int64_t> savings; // by result
  for (const auto &[pair, overlap] : overlaps) {
    int64_t operand = buffers[pair.first].bytes, result = buffers[pair.second].bytes;
    int64_t apart = alignTo(operand, unit) + alignTo(result, unit);
    int64_t &saving = savings[pair.second];
    saving = std::max(saving, (apart - overlap.getExtent(operand, result, unit)) / unit);
  }
  for (auto [number, index] : enumerate(members))
    problem.shared[problem.items[number].begin] += savings.lookup(index);
}

Problem ProblemBuilder::buildProblem(ArrayRef<unsigned> members) const {
  Problem problem;
  SmallVector<int64_t> starts; // of the sections
  for (unsigned index : members)
    if (starts.empty() || buffers[index].first != starts.back())
      starts.push_back(buffers[index].first);
  for (unsigned index : members) {
    const Lifetime &buffer = buffers[index];
    Item item;
    item.size = divideCeil(buffer.bytes, unit);
    item.begin = lower_bound(starts, buffer.first) - starts.begin();
    item.end = upper_bound(starts, buffer.last) - starts.begin();
    if (buffer.fixedOffset)
      item.fixed = *buffer.fixedOffset / unit;
    problem.items.push_back(item);
  }
  problem.sections.resize(starts.size());
  problem.shared.assign(starts.size(), 0);
  problem.neighbors.resize(members.size());
  for (auto [i, item] : enumerate(problem.items)) {
    for (int section = item.begin; section < item.end; ++section)
      problem.sections[section].push_back(i);
    for (size_t j = i + 1; j < members.size() && problem.items[j].begin < item.end; ++j) {
      problem.neighbors[i].push_back(getNeighbor(members[i], members[j], j));
      problem.neighbors[j].push_back(getNeighbor(members[j], members[i], i));
    }
  }
  addShared(members, problem);
  return problem;
}

//===----------------------------------------------------------------------===//
// Search
//===----------------------------------------------------------------------===//

namespace {
/// The best placement of a component so far, in units.
struct Best {
  std::vector<int64_t> offsets;
  int64_t height, lowerBound;
};
} // namespace

/// Looks for a placement of `height` with half of what is left to spend. Improves what is known.
static Outcome tryHeight(const Problem &problem, int64_t height, Limits &limits, Best &best) {
  std::vector<int64_t> offsets;
  Limits half = limits;
  half.effort = (limits.effort + 1) / 2;
  limits.effort -= half.effort;
  Outcome outcome = searchPortfolio(problem, height, half, offsets);
  if (outcome == Outcome::Found) {
    assert(problem.isSafe(offsets) && "the search found a placement that is not safe");
    best.height = problem.getHeight(offsets);
    best.offsets = std::move(offsets);
  } else if (outcome == Outcome::Infeasible) {
    best.lowerBound = height + 1;
  }
  return outcome;
}

/// Lowers the height to at most `enough`, if it can.
static void improve(const Problem &problem, int64_t enough, std::optional<int64_t> capacity,
                    Limits limits, Best &best) {
  if (capacity && *capacity >= best.lowerBound && best.height > *capacity)
    tryHeight(problem, *capacity, limits, best);
  int64_t tried = best.lowerBound - 1; // not found at or below
  for (int64_t height = std::max(best.lowerBound, enough); best.height > height;) {
    if (tryHeight(problem, height, limits, best) != Outcome::Found)
      tried = height;
    // Close in on a bound that was proved; halve the distance to one that was not.
    height = tried < best.lowerBound ? best.lowerBound : tried + 1 + (best.height - tried - 1) / 2;
    height = std::max(height, enough);
    if (limits.deadline && std::chrono::steady_clock::now() >= *limits.deadline)
      return;
  }
}

static void readOffsets(const Component &component, ArrayRef<int64_t> offsets, int64_t unit,
                        Placement &placement) {
  for (auto [index, offset] : zip(component.buffers, offsets))
    placement.offsets[index] = offset * unit;
}

Placement tte::placeBuffers(ArrayRef<Lifetime> buffers, ArrayRef<OverlapPair> pairs,
                            const PlacementOptions &options) {
  ProblemBuilder builder(buffers, pairs, options.alignment);
  int64_t unit = builder.getUnit();
  Limits limits{options.effort, std::nullopt};
  if (options.timeLimit)
    limits.deadline = std::chrono::steady_clock::now() +
                      std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                          std::chrono::duration<double>(*options.timeLimit));
  Placement placement;
  for (const Lifetime &buffer : buffers)
    placement.offsets.push_back(buffer.fixedOffset.value_or(0));
  SmallVector<Component> components = builder.build();
  SmallVector<Best> bests;
  int64_t lowerBound = 0;
  for (const Component &component : components) {
    std::vector<int64_t> offsets = placeQuickly(component.problem);
    int64_t height = component.problem.getHeight(offsets);
    bests.push_back({std::move(offsets), height, component.problem.getLargestDemand()});
    lowerBound = std::max(lowerBound, bests.back().lowerBound);
  }
  std::optional<int64_t> capacity;
  if (options.capacity)
    capacity = *options.capacity / unit;
  // The component that needs most tells how low the others must get.
  auto byBound = to_vector(seq<size_t>(0, components.size()));
  stable_sort(byBound,
              [&](size_t a, size_t b) { return bests[a].lowerBound > bests[b].lowerBound; });
  int64_t height = lowerBound;
  for (size_t k : byBound) {
    improve(components[k].problem, height, capacity, limits, bests[k]);
    lowerBound = std::max(lowerBound, bests[k].lowerBound);
    height = std::max(height, bests[k].height);
    readOffsets(components[k], bests[k].offsets, unit, placement);
  }
  placement.height = height * unit;
  placement.lowerBound = lowerBound * unit;
  return placement;
}
