// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "../lowering/ChannelBlock.h"
#include "Dispatches.h"
#include "MemoryModel.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_FUSEBACKWARDBLOCK
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// Moves `ops` together behind the first of them; false where an operand is not there yet.
static bool gather(ArrayRef<Operation *> ops) {
  for (Operation *op : ops)
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (producer && !llvm::is_contained(ops, producer) && !producer->isBeforeInBlock(ops.front()))
        return false;
    }
  for (auto [previous, op] : llvm::zip(ops.drop_back(), ops.drop_front()))
    op->moveAfter(previous);
  return true;
}

namespace {
struct FuseBackwardBlockPass : tte::impl::FuseBackwardBlockBase<FuseBackwardBlockPass> {
  using FuseBackwardBlockBase::FuseBackwardBlockBase;

  void runOnOperation() override {
    SmallVector<Conv2DInputGradOp> gradients;
    getOperation().walk([&](Conv2DInputGradOp op) {
      if (op->getParentOp() == getOperation())
        gradients.push_back(op);
    });
    for (Conv2DInputGradOp gradient : gradients) {
      if (gradient->getParentOp() != getOperation() || // in a dispatch by now
          2 * getStorageBytes(gradient.getType()) <= limit)
        continue;
      SmallVector<Operation *> block = ChannelBlock::collect(gradient);
      if (!block.empty() && gather(block))
        formDispatch(block, Phase::backward, Strategy::channel_group);
    }
  }
};
} // namespace
