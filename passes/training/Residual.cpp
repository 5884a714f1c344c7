// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "OptimizerState.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_RESIDUAL
#include "tte/Passes/Passes.h.inc"
} // namespace tte

static bool isNarrow(SGDOp update) {
  quant::QuantizedType grid = getQuantizedElement(update.getType());
  return grid && grid.getStorageTypeIntegralWidth() == 8;
}

namespace {
struct ResidualPass : tte::impl::ResidualBase<ResidualPass> {
  using ResidualBase::ResidualBase;

  void runOnOperation() override {
    if (bits < 2 || bits > 8) {
      getOperation().emitError() << "a residual has 2 to 8 bits, found " << bits.getValue();
      return signalPassFailure();
    }
    if (auto step = getOperation().lookupSymbol<func::FuncOp>("train_step"))
      for (SGDOp update : getUpdates(step))
        if (isNarrow(update) && failed(keepResidual(update)))
          return signalPassFailure();
  }

  LogicalResult keepResidual(SGDOp update) {
    OpBuilder builder(update);
    auto type = cast<RankedTensorType>(update.getType()).clone(builder.getI8Type());
    FailureOr<BlockArgument> residual = addState(update, "residual", type);
    if (failed(residual))
      return failure();
    Value low =
        SGDResidualOp::create(builder, update.getLoc(), type, update.getParameter(), *residual,
                              update.getGradient(), update.getLearningRate(), update.getStep(),
                              bits, update.getMultiplier(), update.getPeriod());
    update.setRounding(Rounding::residual);
    update.getResidualMutable().assign(*residual);
    update.setBits(bits);
    returnState(*residual, low);
    return success();
  }
};
} // namespace
