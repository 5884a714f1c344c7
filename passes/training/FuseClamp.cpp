// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "tte/Passes/Passes.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_FUSECLAMP
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// The interval `inner` after clamping to `outer`.
template <typename IntervalT> static IntervalT clampTo(IntervalT inner, ClampAttr outer) {
  auto bound = [&](double value) { return std::clamp(value, outer.getMin(), outer.getMax()); };
  return IntervalT::get(outer.getContext(), bound(inner.getMin()), bound(inner.getMax()));
}

/// The calibrated range of `producer` once it clamps: the one measured behind the clamp, else
/// its own, clamped. Null where calibration has not run.
static RangeAttr fusedRange(Operation *producer, ClampOp clamp) {
  if (auto measured = clamp->getAttrOfType<RangeAttr>("tte.range"))
    return measured;
  if (auto own = producer->getAttrOfType<RangeAttr>("tte.range"))
    return clampTo(own, clamp.getRange());
  return {};
}

namespace {
struct FuseClampIntoProducer : OpRewritePattern<ClampOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ClampOp clamp, PatternRewriter &rewriter) const override {
    auto producer = clamp.getInput().getDefiningOp<ClampingOpInterface>();
    if (!producer)
      return rewriter.notifyMatchFailure(clamp, "the producer of its input cannot clamp");
    if (!clamp.getInput().hasOneUse())
      return rewriter.notifyMatchFailure(clamp, "its input is used elsewhere");
    rewriter.modifyOpInPlace(producer, [&] {
      ClampAttr own = producer.getClampAttr();
      producer.setClampAttr(own ? clampTo(own, clamp.getRange()) : clamp.getRange());
      if (RangeAttr range = fusedRange(producer, clamp))
        producer->setAttr("tte.range", range);
    });
    rewriter.replaceOp(clamp, clamp.getInput());
    return success();
  }
};

struct FuseClampPass : tte::impl::FuseClampBase<FuseClampPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseClampIntoProducer>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
