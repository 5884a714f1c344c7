// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "tte/Passes/Passes.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_EXPANDFLOAT
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// From here on every f32 is an integer.
static constexpr float integersOnly = 0x1p23f;

static Value constant(OpBuilder &builder, Location loc, Type type, double value) {
  TypedAttr attribute = builder.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    attribute = DenseElementsAttr::get(shaped, attribute);
  return arith::ConstantOp::create(builder, loc, attribute);
}

static Value compare(OpBuilder &builder, Location loc, arith::CmpFPredicate predicate, Value lhs,
                     Value rhs) {
  return arith::CmpFOp::create(builder, loc, predicate, lhs, rhs);
}

static Value select(OpBuilder &builder, Location loc, Value condition, Value whenTrue,
                    Value whenFalse) {
  return arith::SelectOp::create(builder, loc, condition, whenTrue, whenFalse);
}

/// `rounded` where `value` may have a fraction, else `value`.
static Value selectRounded(OpBuilder &builder, Location loc, Value value, Value rounded) {
  Value magnitude = math::AbsFOp::create(builder, loc, value);
  Value limit = constant(builder, loc, value.getType(), integersOnly);
  Value mayHaveFraction = compare(builder, loc, arith::CmpFPredicate::OLT, magnitude, limit);
  return select(builder, loc, mayHaveFraction, rounded, value);
}

namespace {

template <typename OpT, arith::CmpFPredicate predicate>
struct ExpandChoice : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value lhs = op.getLhs(), rhs = op.getRhs();
    Value chosen = select(rewriter, loc, compare(rewriter, loc, predicate, lhs, rhs), lhs, rhs);
    if (!matchPattern(rhs, m_Constant())) {
      Value isNaN = compare(rewriter, loc, arith::CmpFPredicate::UNO, rhs, rhs);
      chosen = select(rewriter, loc, isNaN, lhs, chosen);
    }
    rewriter.replaceOp(op, chosen);
    return success();
  }
};

/// Whether `op` converts to i32, saturating.
bool isConversion(Operation *op) {
  auto call = dyn_cast<LLVM::CallIntrinsicOp>(op);
  return call && call.getIntrin() == "llvm.fptosi.sat.i32.f32";
}

/// A floor that is only converted, saturating: a conversion towards zero, less one where that went
/// up.
struct ExpandConvertedFloor : OpRewritePattern<LLVM::CallIntrinsicOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LLVM::CallIntrinsicOp op,
                                PatternRewriter &rewriter) const override {
    auto floor = isConversion(op) ? op.getArgs().front().getDefiningOp<math::FloorOp>() : nullptr;
    if (!floor)
      return failure();
    Location loc = op.getLoc();
    Value value = floor.getOperand();
    Type word = rewriter.getI32Type();
    Value integer =
        LLVM::CallIntrinsicOp::create(rewriter, loc, word, op.getIntrinAttr(), value).getResults();
    Value truncated = arith::SIToFPOp::create(rewriter, loc, value.getType(), integer);
    Value isAbove = compare(rewriter, loc, arith::CmpFPredicate::OGT, truncated, value);
    Value excess = arith::ExtUIOp::create(rewriter, loc, word, isAbove);
    rewriter.replaceOpWithNewOp<LLVM::SSubSat>(op, integer, excess);
    return success();
  }
};

struct ExpandFloor : OpRewritePattern<math::FloorOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FloorOp op, PatternRewriter &rewriter) const override {
    if (llvm::all_of(op->getUsers(), isConversion))
      return failure(); // see ExpandConvertedFloor
    Location loc = op.getLoc();
    Value value = op.getOperand();
    Type type = value.getType();
    Type integers = rewriter.getI32Type();
    if (auto shaped = dyn_cast<ShapedType>(type))
      integers = shaped.clone(integers);
    Value integer = arith::FPToSIOp::create(rewriter, loc, integers, value);
    Value truncated = arith::SIToFPOp::create(rewriter, loc, type, integer);
    Value below = arith::SubFOp::create(rewriter, loc, truncated, constant(rewriter, loc, type, 1));
    Value isAbove = compare(rewriter, loc, arith::CmpFPredicate::OGT, truncated, value);
    Value rounded = select(rewriter, loc, isAbove, below, truncated);
    rewriter.replaceOp(op, selectRounded(rewriter, loc, value, rounded));
    return success();
  }
};

/// Adding 2^23 leaves no bits for a fraction: the sum is rounded half to even.
struct ExpandRoundEven : OpRewritePattern<LLVM::RoundEvenOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LLVM::RoundEvenOp op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value value = op.getIn();
    Value shift = math::CopySignOp::create(
        rewriter, loc, constant(rewriter, loc, value.getType(), integersOnly), value);
    Value sum = arith::AddFOp::create(rewriter, loc, value, shift);
    Value rounded = arith::SubFOp::create(rewriter, loc, sum, shift);
    rewriter.replaceOp(op, selectRounded(rewriter, loc, value, rounded));
    return success();
  }
};

struct ExpandFloatPass : tte::impl::ExpandFloatBase<ExpandFloatPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandConvertedFloor, ExpandChoice<arith::MaxNumFOp, arith::CmpFPredicate::OGT>,
                 ExpandChoice<arith::MinNumFOp, arith::CmpFPredicate::OLT>, ExpandFloor,
                 ExpandRoundEven>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
