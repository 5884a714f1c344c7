// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "OptimizerState.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_MOMENTUM
#include "tte/Passes/Passes.h.inc"
} // namespace tte

namespace {
struct MomentumPass : tte::impl::MomentumBase<MomentumPass> {
  using MomentumBase::MomentumBase;

  void runOnOperation() override {
    if (factor <= 0.0f || factor >= 1.0f) {
      getOperation().emitError() << "momentum must lie between 0 and 1, found "
                                 << factor.getValue();
      return signalPassFailure();
    }
    if (auto step = getOperation().lookupSymbol<func::FuncOp>("train_step"))
      for (SGDOp update : getUpdates(step))
        if (failed(addMomentum(update)))
          return signalPassFailure();
  }

  LogicalResult addMomentum(SGDOp update) {
    OpOperand &gradient = getRealGradient(update);
    auto type = cast<RankedTensorType>(gradient.get().getType());
    FailureOr<BlockArgument> velocity = addState(update, "velocity", type);
    if (failed(velocity))
      return failure();
    OpBuilder builder(gradient.getOwner());
    Value moved =
        MomentumOp::create(builder, update.getLoc(), type, *velocity, gradient.get(),
                           update.getStep(), APFloat(factor.getValue()), update.getPeriod());
    gradient.set(moved);
    returnState(*velocity, moved);
    return success();
  }
};
} // namespace
