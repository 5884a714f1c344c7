// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Offsets for buffers with known lifetimes. Knows nothing of the IR.
#ifndef TTE_PASSES_MEMORY_PLACEMENT_H
#define TTE_PASSES_MEMORY_PLACEMENT_H

#include "tte/Passes/Overlap.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>

namespace tte {

/// A buffer that needs its bytes from time `first` through time `last`.
struct Lifetime {
  int64_t bytes = 0;
  int64_t first = 0;
  int64_t last = 0;
  std::optional<int64_t> fixedOffset = std::nullopt;
};

/// Two buffers that share one time only, the last of `operand` and the first of `result`, and need
/// not be disjoint where `overlap` allows it.
struct OverlapPair {
  unsigned operand = 0;
  unsigned result = 0;
  Overlap overlap;
};

struct Placement {
  llvm::SmallVector<int64_t> offsets;
  int64_t height = 0;     // bytes of the whole, a multiple of the alignment
  int64_t lowerBound = 0; // the most that is live at one time, sizes rounded to the alignment
};

/// Places `buffers` at multiples of `alignment` so that those alive at one time are disjoint or
/// lie as one of `pairs` allows. A result takes its bytes from at most one operand: where several
/// pairs have the same result, each of their operands is as large as it.
/// First fit, greedy by size; then by size times lifetime, by lifetime and by start: the lowest
/// result wins. Deterministic.
Placement placeBuffers(llvm::ArrayRef<Lifetime> buffers, llvm::ArrayRef<OverlapPair> pairs,
                       int64_t alignment);

} // namespace tte

#endif // TTE_PASSES_MEMORY_PLACEMENT_H
