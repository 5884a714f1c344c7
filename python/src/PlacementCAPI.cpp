// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "PlacementCAPI.h"

#include "tte/Passes/Placement.h"

static tte::Overlap::Traversal unwrap(MlirTTETraversal traversal) {
  switch (traversal) {
  case MlirTTETraversalAscending:
    return tte::Overlap::Traversal::Ascending;
  case MlirTTETraversalDescending:
    return tte::Overlap::Traversal::Descending;
  case MlirTTETraversalExact:
    break;
  }
  return tte::Overlap::Traversal::Exact;
}

MlirTTEPlacement mlirTTEPlaceBuffers(intptr_t bufferCount, const MlirTTELifetime *buffers,
                                     intptr_t pairCount, const MlirTTEOverlapPair *pairs,
                                     MlirTTEPlacementOptions options, int64_t *offsets) {
  llvm::SmallVector<tte::Lifetime> lifetimes;
  for (const MlirTTELifetime &buffer : llvm::ArrayRef(buffers, bufferCount)) {
    lifetimes.push_back({buffer.bytes, buffer.first, buffer.last});
    if (buffer.fixedOffset >= 0)
      lifetimes.back().fixedOffset = buffer.fixedOffset;
  }
  llvm::SmallVector<tte::OverlapPair> overlaps;
  for (const MlirTTEOverlapPair &pair : llvm::ArrayRef(pairs, pairCount))
    overlaps.push_back(
        {unsigned(pair.operand), unsigned(pair.result), {unwrap(pair.traversal), pair.lag}});
  tte::PlacementOptions wanted;
  wanted.alignment = options.alignment;
  if (options.effort >= 0)
    wanted.effort = options.effort;
  if (options.timeLimit >= 0)
    wanted.timeLimit = options.timeLimit;
  if (options.capacity >= 0)
    wanted.capacity = options.capacity;
  tte::Placement placement = tte::placeBuffers(lifetimes, overlaps, wanted);
  std::copy(placement.offsets.begin(), placement.offsets.end(), offsets);
  return {placement.height, placement.lowerBound};
}
