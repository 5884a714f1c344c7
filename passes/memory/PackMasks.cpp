// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Dispatches.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_PACKMASKS
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// Whether the backward pass reads `value`, or a view of it, elsewhere than in `mask`, or the
/// caller gets it: it lives on anyway.
static bool livesOn(Value value, Operation *mask, const DenseSet<Operation *> &forward) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    if (user == mask)
      return false;
    if (isa<SliceOp>(user)) // a copy of some channels, kept in its place
      return false;
    if (auto view = dyn_cast<ReshapeOp>(user))
      return livesOn(view.getResult(), mask, forward);
    return !forward.contains(user);
  });
}

static void pack(ClampGradOp mask) {
  Value output = mask.getOutput();
  auto type = cast<RankedTensorType>(output.getType());
  OpBuilder builder(mask);
  builder.setInsertionPointAfterValue(output);
  auto bits = RankedTensorType::get({int64_t(llvm::divideCeil(type.getNumElements(), 8))},
                                    builder.getI8Type());
  auto packed = ClampMaskOp::create(builder, mask.getLoc(), bits, output, mask.getRange());
  builder.setInsertionPoint(mask);
  auto applied = ApplyMaskOp::create(builder, mask.getLoc(), mask.getType(), mask.getGradient(),
                                     packed.getMask());
  mask.replaceAllUsesWith(applied.getResult());
  mask.erase();
}

namespace {
struct PackMasksPass : tte::impl::PackMasksBase<PackMasksPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    DenseSet<Operation *> forward = getForwardOps(getOperation());
    for (ClampGradOp mask : llvm::to_vector(getOperation().getOps<ClampGradOp>())) {
      Operation *producer = mask.getOutput().getDefiningOp();
      if (producer && forward.contains(producer) && !livesOn(mask.getOutput(), mask, forward))
        pack(mask);
    }
  }
};
} // namespace
