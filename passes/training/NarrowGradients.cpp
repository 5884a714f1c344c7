// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "NarrowGradients.h"
#include "tte/IR/TTEOps.h"

using namespace mlir;
using namespace tte;

/// Whether `slice` takes its input whole in every dimension but `axis`.
static bool slicesOnly(SliceOp slice, int64_t axis) {
  auto input = cast<RankedTensorType>(slice.getInput().getType());
  auto result = cast<RankedTensorType>(slice.getType());
  for (int64_t d = 0; d < input.getRank(); ++d)
    if (d != axis && input.getDimSize(d) != result.getDimSize(d))
      return false;
  return true;
}

/// The op that `slice` alone reads, if it is an `OpT`.
template <typename OpT> static OpT onlyReadBy(SliceOp slice) {
  return slice.getInput().hasOneUse() ? slice.getInput().getDefiningOp<OpT>() : OpT();
}

/// The box of `slice`, taken from `value`.
static Value sliceOf(OpBuilder &builder, SliceOp slice, Value value) {
  return SliceOp::create(builder, slice.getLoc(), slice.getType(), value, slice.getOffsets());
}

/// The axis of a weight gradient along which its `offset` counts.
static int64_t channelAxis(Conv2DWeightGradOp op) { return op.isDepthwise() ? 3 : 2; }
static int64_t channelAxis(DenseWeightGradOp) { return 0; }

static bool allowsChannelRange(Conv2DWeightGradOp op) {
  return op.getGroups() == 1 || op.isDepthwise();
}
static bool allowsChannelRange(DenseWeightGradOp) { return true; }

namespace {
template <typename WeightGradOp> struct NarrowWeightGradient : OpRewritePattern<SliceOp> {
  using OpRewritePattern<SliceOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(SliceOp slice, PatternRewriter &rewriter) const override {
    auto gradient = onlyReadBy<WeightGradOp>(slice);
    if (!gradient || !allowsChannelRange(gradient) || !slicesOnly(slice, channelAxis(gradient)))
      return failure();
    int64_t offset = gradient.getOffset() + slice.getOffsets()[channelAxis(gradient)];
    rewriter.modifyOpInPlace(gradient, [&] {
      gradient.setOffset(offset);
      gradient.getResult().setType(slice.getType());
    });
    rewriter.replaceOp(slice, gradient);
    return success();
  }
};

struct SliceBeforeScaling : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SliceOp slice, PatternRewriter &rewriter) const override {
    auto scaled = onlyReadBy<ScaleGradientOp>(slice);
    if (!scaled)
      return failure();
    auto whole = cast<RankedTensorType>(scaled.getType()).clone(scaled.getGrid());
    RankedTensorType part = getSlicedType(whole, slice.getOffsets(), slice.getType().getShape());
    Value gradient = sliceOf(rewriter, slice, scaled.getGradient());
    rewriter.replaceOpWithNewOp<ScaleGradientOp>(slice, slice.getType(), gradient,
                                                 part.getElementType(), scaled.getPower());
    return success();
  }
};

struct SliceBeforeSum : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SliceOp slice, PatternRewriter &rewriter) const override {
    auto sum = onlyReadBy<AddOp>(slice);
    if (!sum || !isFloatTensor(sum.getType()))
      return failure();
    Value lhs = sliceOf(rewriter, slice, sum.getLhs()),
          rhs = sliceOf(rewriter, slice, sum.getRhs());
    rewriter.replaceOpWithNewOp<AddOp>(slice, slice.getType(), lhs, rhs, sum.getClampAttr());
    return success();
  }
};
} // namespace

void tte::populateNarrowGradientPatterns(RewritePatternSet &patterns) {
  patterns.add<NarrowWeightGradient<Conv2DWeightGradOp>, NarrowWeightGradient<DenseWeightGradOp>,
               SliceBeforeScaling, SliceBeforeSum>(patterns.getContext());
}
