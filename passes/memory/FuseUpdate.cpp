// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Dispatches.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_FUSEUPDATE
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// The ops that turn activations into the gradient that `update` consumes and whose results
/// nobody else needs, `update` included, in program order.
static SmallVector<Operation *> getUpdateChain(SGDOp update) {
  SmallVector<Operation *> chain{update};
  Operation *producer = getSingleUseProducer(update.getGradient());
  if (auto scale = dyn_cast_or_null<ScaleGradientOp>(producer)) {
    chain.push_back(scale);
    producer = getSingleUseProducer(scale.getGradient());
  }
  if (isa_and_nonnull<Conv2DWeightGradOp, DenseWeightGradOp, BiasGradOp>(producer))
    chain.push_back(producer);
  return llvm::to_vector(llvm::reverse(chain));
}

namespace {
struct FuseUpdatePass : tte::impl::FuseUpdateBase<FuseUpdatePass> {
  void runOnOperation() override {
    for (SGDOp update : llvm::to_vector(getOperation().getOps<SGDOp>()))
      formDispatch(getUpdateChain(update), Phase::update);
  }
};
} // namespace
