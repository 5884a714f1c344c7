// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Placement.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace tte;

static bool liveAtOnce(const Lifetime &a, const Lifetime &b) {
  return a.first <= b.last && b.first <= a.last;
}

namespace {
/// Offsets strictly between `below` and `above` are not allowed.
struct Forbidden {
  int64_t below, above;
};

/// Lays out buffers one by one.
class Layout {
public:
  Layout(ArrayRef<Lifetime> buffers, ArrayRef<OverlapPair> pairs, int64_t alignment)
      : buffers(buffers), pairs(pairs), alignment(alignment) {
    offsets.assign(buffers.size(), -1);
    for (auto [index, buffer] : enumerate(buffers))
      if (buffer.fixedOffset)
        offsets[index] = *buffer.fixedOffset;
  }

  /// Puts `index` at the lowest multiple of the alignment that all placed buffers allow.
  void place(unsigned index);
  Placement finish();

private:
  void forbid(unsigned index, unsigned placed, SmallVectorImpl<Forbidden> &forbidden) const;

  ArrayRef<Lifetime> buffers;
  ArrayRef<OverlapPair> pairs;
  int64_t alignment;
  SmallVector<int64_t> offsets;
};
} // namespace

/// Adds the offsets that `placed` forbids `index`.
void Layout::forbid(unsigned index, unsigned placed, SmallVectorImpl<Forbidden> &forbidden) const {
  int64_t offset = offsets[placed], bytes = buffers[index].bytes;
  Forbidden overlapping{offset - bytes, offset + buffers[placed].bytes};
  const OverlapPair *pair = find_if(pairs, [&](const OverlapPair &pair) {
    return std::minmax(pair.operand, pair.result) == std::minmax(index, placed);
  });
  if (pair == pairs.end()) {
    forbidden.push_back(overlapping);
    return;
  }
  bool isResult = pair->result == index;
  // The distance of the ends in place of that of the begins, for descending traversal.
  int64_t lag = pair->overlap.lag;
  int64_t growth = bytes - buffers[placed].bytes;
  switch (pair->overlap.traversal) {
  case Overlap::Traversal::Exact:
    forbidden.push_back({overlapping.below, offset});
    forbidden.push_back({offset, overlapping.above});
    return;
  case Overlap::Traversal::Ascending:
    if (isResult)
      overlapping.below = std::max(overlapping.below, offset - lag);
    else
      overlapping.above = std::min(overlapping.above, offset + lag);
    break;
  case Overlap::Traversal::Descending:
    if (isResult)
      overlapping.above = std::min(overlapping.above, offset + lag - growth);
    else
      overlapping.below = std::max(overlapping.below, offset - lag - growth);
    break;
  }
  if (overlapping.below < overlapping.above)
    forbidden.push_back(overlapping);
}

void Layout::place(unsigned index) {
  if (buffers[index].fixedOffset)
    return;
  SmallVector<Forbidden> forbidden;
  for (auto [other, offset] : enumerate(offsets))
    if (buffers[other].bytes && offset >= 0 && liveAtOnce(buffers[other], buffers[index]))
      forbid(index, other, forbidden);
  sort(forbidden, [](const Forbidden &a, const Forbidden &b) { return a.below < b.below; });
  int64_t lowest = 0;
  for (auto [below, above] : forbidden) {
    if (lowest <= below)
      break;
    if (lowest < above)
      lowest = alignTo(above, alignment);
  }
  offsets[index] = lowest;
}

Placement Layout::finish() {
  Placement placement;
  placement.offsets = offsets;
  for (auto [buffer, offset] : zip(buffers, offsets))
    placement.height =
        std::max(placement.height, int64_t(alignTo(offset + buffer.bytes, alignment)));
  return placement;
}

/// Bytes that overlaps save while a step runs, by time: in each, the best pair is taken.
static DenseMap<int64_t, int64_t> getSavings(ArrayRef<Lifetime> buffers,
                                             ArrayRef<OverlapPair> pairs, int64_t alignment) {
  DenseMap<int64_t, int64_t> savings;
  for (const OverlapPair &pair : pairs) {
    int64_t operand = buffers[pair.operand].bytes, result = buffers[pair.result].bytes;
    int64_t apart = alignTo(operand, alignment) + alignTo(result, alignment);
    int64_t &saving = savings[buffers[pair.result].first];
    saving = std::max(saving, apart - pair.overlap.getExtent(operand, result, alignment));
  }
  return savings;
}

/// Live bytes are largest where some lifetime begins.
static int64_t getLargestDemand(ArrayRef<Lifetime> buffers, ArrayRef<OverlapPair> pairs,
                                int64_t alignment) {
  DenseMap<int64_t, int64_t> savings = getSavings(buffers, pairs, alignment);
  int64_t largest = 0;
  for (const Lifetime &start : buffers) {
    int64_t demand = -savings.lookup(start.first);
    for (const Lifetime &buffer : buffers)
      if (buffer.first <= start.first && start.first <= buffer.last)
        demand += alignTo(buffer.bytes, alignment);
    largest = std::max(largest, demand);
  }
  return largest;
}

Placement tte::placeBuffers(ArrayRef<Lifetime> buffers, ArrayRef<OverlapPair> pairs,
                            int64_t alignment) {
  auto lengthOf = [&](unsigned i) { return buffers[i].last - buffers[i].first + 1; };
  using Key = std::pair<int64_t, int64_t>;
  auto bySize = [&](unsigned i) { return Key(-buffers[i].bytes, -lengthOf(i)); };
  auto byArea = [&](unsigned i) { return Key(-buffers[i].bytes * lengthOf(i), 0); };
  auto byLength = [&](unsigned i) { return Key(-lengthOf(i), -buffers[i].bytes); };
  auto byStart = [&](unsigned i) { return Key(buffers[i].first, -buffers[i].bytes); };

  std::optional<Placement> best;
  for (function_ref<Key(unsigned)> key :
       {function_ref<Key(unsigned)>(bySize), function_ref<Key(unsigned)>(byArea),
        function_ref<Key(unsigned)>(byLength), function_ref<Key(unsigned)>(byStart)}) {
    auto order = to_vector(seq<unsigned>(0, buffers.size()));
    stable_sort(order, [&](unsigned a, unsigned b) { return key(a) < key(b); });
    Layout layout(buffers, pairs, alignment);
    for (unsigned index : order)
      layout.place(index);
    Placement placement = layout.finish();
    if (!best || placement.height < best->height)
      best = std::move(placement);
  }
  best->lowerBound = getLargestDemand(buffers, pairs, alignment);
  return *best;
}
