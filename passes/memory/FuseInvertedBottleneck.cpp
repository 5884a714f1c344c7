// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "../lowering/RowChain.h"
#include "Dispatches.h"
#include "MemoryModel.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_FUSEINVERTEDBOTTLENECK
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// The one reader of `value`, or null.
static Operation *getSingleUser(Value value) {
  return value.hasOneUse() ? *value.getUsers().begin() : nullptr;
}

static bool isPointwise(Conv2DOp conv) {
  ArrayRef<int64_t> weight = cast<RankedTensorType>(conv.getWeights().front().getType()).getShape();
  return weight[0] == 1 && weight[1] == 1 && conv.getGroups() == 1;
}

/// The sum of the value that `block` computes and the value that it reads, or null.
static AddOp getSkip(ArrayRef<Operation *> block) {
  auto add = dyn_cast_or_null<AddOp>(getSingleUser(block.back()->getResult(0)));
  Value input = block.front()->getOperand(0);
  return add && (add.getLhs() == input || add.getRhs() == input) ? add : AddOp();
}

/// The layers around `depthwise` that nothing else reads in between.
static SmallVector<Operation *> getBlock(Conv2DOp depthwise) {
  SmallVector<Operation *> block{depthwise};
  auto before = dyn_cast_or_null<Conv2DOp>(getSingleUseProducer(depthwise.getInput()));
  if (before && !before.isDepthwise())
    block.insert(block.begin(), before);
  auto after = dyn_cast_or_null<Conv2DOp>(getSingleUser(depthwise.getResult()));
  if (!after || !isPointwise(after))
    return block;
  block.push_back(after);
  if (AddOp skip = getSkip(block))
    block.push_back(skip);
  return block;
}

static SmallVector<Operation *> getPooledConvolution(Operation *pool) {
  auto before = dyn_cast_or_null<Conv2DOp>(getSingleUseProducer(pool->getOperand(0)));
  return before ? SmallVector<Operation *>{before, pool} : SmallVector<Operation *>{};
}

/// The most that one of the layers reads and writes, weights apart.
static int64_t getWorkingSet(const RowChain &chain) {
  int64_t most = 0;
  for (const RowStage &stage : chain.getStages()) {
    int64_t bytes =
        getStorageBytes(stage.input.getType()) + getStorageBytes(stage.op->getResult(0).getType());
    bool isSkipAlive = chain.getSkip() && stage.input != chain.getInput();
    most = std::max(most, bytes + (isSkipAlive ? getStorageBytes(chain.getSkip().getType()) : 0));
  }
  return most;
}

namespace {
struct FuseInvertedBottleneckPass
    : tte::impl::FuseInvertedBottleneckBase<FuseInvertedBottleneckPass> {
  using FuseInvertedBottleneckBase::FuseInvertedBottleneckBase;

  void runOnOperation() override {
    SmallVector<SmallVector<Operation *>> blocks;
    getOperation().walk([&](Operation *op) {
      auto conv = dyn_cast<Conv2DOp>(op);
      if (conv && conv.isDepthwise())
        blocks.push_back(getBlock(conv));
      else if (isa<AvgPool2DOp, MaxPool2DOp>(op))
        blocks.push_back(getPooledConvolution(op));
    });
    // A layer belongs to one block: two depthwise convolutions may share the one in between.
    DenseSet<Operation *> taken;
    for (ArrayRef<Operation *> block : blocks) {
      std::optional<RowChain> chain = RowChain::get(block);
      if (!chain || getWorkingSet(*chain) <= limit ||
          llvm::any_of(block, [&](Operation *op) { return taken.contains(op); }))
        continue;
      taken.insert(block.begin(), block.end());
      formDispatch(block, Phase::forward, Strategy::row_stream);
    }
  }
};
} // namespace
