// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Orders of steps that need little memory. Knows nothing of the IR.
#ifndef TTE_PASSES_MEMORY_ORDERSEARCH_H
#define TTE_PASSES_MEMORY_ORDERSEARCH_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>

namespace tte {

/// Steps with precedences; each buffer lives from the step that defines it (or from the start)
/// through the last step that uses it (or to the end). A step that is the last to touch a buffer
/// may write a new one over it: of all such pairs that it has, one saves its bytes.
struct OrderProblem {
  struct Buffer {
    int64_t bytes = 0;
    bool liveAtStart = false;
    bool liveAtEnd = false;
  };
  struct InPlace {
    unsigned buffer = 0; // dies with the step
    int64_t saving = 0;
  };
  struct Step {
    llvm::SmallVector<unsigned> predecessors;
    llvm::SmallVector<unsigned> touches; // buffers read or written, each once
    llvm::SmallVector<InPlace> inPlace;
    int64_t scratchBytes = 0;
  };
  llvm::SmallVector<Buffer> buffers;
  llvm::SmallVector<Step> steps;
};

struct Order {
  llvm::SmallVector<unsigned> steps;
  int64_t peak = 0;       // bytes live at once in this order
  int64_t lowerBound = 0; // no order has a smaller peak
  bool isOptimal() const { return peak == lowerBound; }
};

/// The peak of `order`: the largest sum of the buffers live during a step and its scratch, less
/// what the step saves in place.
int64_t getPeak(const OrderProblem &problem, llvm::ArrayRef<unsigned> order);

/// The order of least peak. Binary search on the budget; for each, depth-first search over the
/// sets of executed steps, each visited once, where a ready step that fits and does not raise
/// live memory runs at once (safe, since running it earlier harms no other step: it leaves no more
/// bytes live, and lets no buffer that another step overwrites in place live longer). After
/// `stateLimit` sets a budget is given up, and the result is the best order found with the
/// largest bound proved. Deterministic. The given order must respect the precedences.
Order findOrder(const OrderProblem &problem, uint64_t stateLimit);

} // namespace tte

#endif // TTE_PASSES_MEMORY_ORDERSEARCH_H
