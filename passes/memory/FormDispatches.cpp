// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Dispatches.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "tte/Passes/Passes.h.inc"
} // namespace tte

namespace {
struct FormDispatchesPass : tte::impl::FormDispatchesBase<FormDispatchesPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    DenseSet<Operation *> forward = getForwardOps(getOperation());
    for (Operation &op : llvm::make_early_inc_range(getOperation().getBody().front())) {
      if (!isComputation(&op))
        continue;
      bool isUpdate = isa<StateUpdateOpInterface>(op);
      formDispatch(&op, isUpdate                ? Phase::update
                        : forward.contains(&op) ? Phase::forward
                                                : Phase::backward);
    }
  }
};
} // namespace
