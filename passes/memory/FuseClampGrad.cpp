// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Dispatches.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_FUSECLAMPGRAD
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// Ops that write each element of their result once, where a mask can be applied to it.
static bool takesEpilogue(Operation *op) {
  return isa_and_nonnull<Conv2DInputGradOp, DenseInputGradOp, AvgPool2DGradOp, AddOp>(op);
}

namespace {
struct FuseClampGradPass : tte::impl::FuseClampGradBase<FuseClampGradPass> {
  void runOnOperation() override {
    for (Operation &mask : llvm::make_early_inc_range(getOperation().getBody().getOps())) {
      if (!isa<ClampGradOp, ApplyMaskOp>(mask))
        continue;
      Operation *producer = getSingleUseProducer(mask.getOperand(0)); // the gradient
      if (takesEpilogue(producer))
        formDispatch({producer, &mask}, Phase::backward);
    }
  }
};
} // namespace
