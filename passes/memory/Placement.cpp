// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Placement.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace tte;

static bool liveAtOnce(const Lifetime &a, const Lifetime &b) {
  return a.first <= b.last && b.first <= a.last;
}

/// The lowest multiple of `alignment` at which `index` is disjoint from all placed buffers that
/// live when it does.
static int64_t findLowestOffset(ArrayRef<Lifetime> buffers, ArrayRef<int64_t> offsets,
                                unsigned index, int64_t alignment) {
  SmallVector<std::pair<int64_t, int64_t>> taken; // begin, end
  for (auto [other, offset] : enumerate(offsets))
    if (buffers[other].bytes && offset >= 0 && liveAtOnce(buffers[other], buffers[index]))
      taken.push_back({offset, offset + buffers[other].bytes});
  sort(taken);
  int64_t lowest = 0;
  for (auto [begin, end] : taken) {
    if (lowest + buffers[index].bytes <= begin)
      break;
    lowest = std::max(lowest, int64_t(alignTo(end, alignment)));
  }
  return lowest;
}

static Placement placeInOrder(ArrayRef<Lifetime> buffers, ArrayRef<unsigned> order,
                              int64_t alignment) {
  Placement placement;
  placement.offsets.assign(buffers.size(), -1);
  for (auto [index, buffer] : enumerate(buffers))
    if (buffer.fixedOffset)
      placement.offsets[index] = *buffer.fixedOffset;
  for (unsigned index : order)
    if (!buffers[index].fixedOffset)
      placement.offsets[index] = findLowestOffset(buffers, placement.offsets, index, alignment);
  for (auto [buffer, offset] : zip(buffers, placement.offsets))
    placement.height =
        std::max(placement.height, int64_t(alignTo(offset + buffer.bytes, alignment)));
  return placement;
}

/// Live bytes are largest where some lifetime begins.
static int64_t getLargestDemand(ArrayRef<Lifetime> buffers, int64_t alignment) {
  int64_t largest = 0;
  for (const Lifetime &start : buffers) {
    int64_t demand = 0;
    for (const Lifetime &buffer : buffers)
      if (buffer.first <= start.first && start.first <= buffer.last)
        demand += alignTo(buffer.bytes, alignment);
    largest = std::max(largest, demand);
  }
  return largest;
}

Placement tte::placeBuffers(ArrayRef<Lifetime> buffers, int64_t alignment) {
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
    Placement placement = placeInOrder(buffers, order, alignment);
    if (!best || placement.height < best->height)
      best = std::move(placement);
  }
  best->lowerBound = getLargestDemand(buffers, alignment);
  return *best;
}
