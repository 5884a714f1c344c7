// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Offsets for buffers with known lifetimes. Knows nothing of the IR.
#ifndef TTE_PASSES_PLACEMENT_H
#define TTE_PASSES_PLACEMENT_H

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
  std::optional<int64_t> fixedOffset = std::nullopt; // a multiple of the alignment
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
  int64_t lowerBound = 0; // no placement is lower
};

struct PlacementOptions {
  int64_t alignment = 1; // a power of two
  /// What the searches may spend, each half of what is left; a million takes about 10 ms. The
  /// result depends on nothing else, unless there is a time limit.
  int64_t effort = 200'000'000;
  std::optional<double> timeLimit = std::nullopt; // seconds for the whole
  std::optional<int64_t> capacity = std::nullopt; // reach this height first, then lower ones
};

/// Places `buffers` at multiples of the alignment so that those alive at one time are disjoint or
/// lie as one of `pairs` allows. A result takes its bytes from at most one operand: where several
/// pairs have the same result, each of their operands is as large as it.
///
/// Searches for a placement as high as the largest demand at one time, then, unless that is proved
/// impossible or found, between that and the best known. The lower bound is the largest demand, or
/// more where a search proves more. Sizes must add up to less than 2^61.
Placement placeBuffers(llvm::ArrayRef<Lifetime> buffers, llvm::ArrayRef<OverlapPair> pairs,
                       const PlacementOptions &options = {});

} // namespace tte

#endif // TTE_PASSES_PLACEMENT_H
