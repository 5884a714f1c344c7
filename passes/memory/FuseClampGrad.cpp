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
    for (ClampGradOp mask : llvm::to_vector(getOperation().getOps<ClampGradOp>())) {
      Operation *producer = getSingleUseProducer(mask.getGradient());
      if (takesEpilogue(producer))
        formDispatch({producer, mask}, Phase::backward);
    }
  }
};
} // namespace
