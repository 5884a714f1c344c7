// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "OptimizerState.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_ACCUMULATE
#include "tte/Passes/Passes.h.inc"
} // namespace tte

namespace {
struct AccumulatePass : tte::impl::AccumulateBase<AccumulatePass> {
  using AccumulateBase::AccumulateBase;

  void runOnOperation() override {
    if (batch < 1) {
      getOperation().emitError() << "a batch has at least 1 step, found " << batch.getValue();
      return signalPassFailure();
    }
    auto step = getOperation().lookupSymbol<func::FuncOp>("train_step");
    if (!step || batch == 1)
      return;
    for (SGDOp update : getUpdates(step))
      if (failed(addAccumulator(update)))
        return signalPassFailure();
  }

  LogicalResult addAccumulator(SGDOp update) {
    OpOperand &gradient = getRealGradient(update);
    if (auto momentum = gradient.get().getDefiningOp<MomentumOp>())
      return momentum.emitOpError("must be added after the accumulator (tte-accumulate)");
    auto type = cast<RankedTensorType>(gradient.get().getType());
    FailureOr<BlockArgument> sum = addState(update, "gradient", type);
    if (failed(sum))
      return failure();
    OpBuilder builder(gradient.getOwner());
    Value mean = AccumulateOp::create(builder, update.getLoc(), type, *sum, gradient.get(),
                                      update.getStep(), batch);
    gradient.set(mean);
    returnState(*sum, mean);
    update.setPeriod(batch);
    return success();
  }
};
} // namespace
