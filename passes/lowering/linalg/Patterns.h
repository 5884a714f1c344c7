// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The conversion patterns of tte-lower-to-linalg, one group of ops a file.
#ifndef TTE_LOWERING_LINALG_PATTERNS_H
#define TTE_LOWERING_LINALG_PATTERNS_H

#include "Structured.h"
#include "mlir/Transforms/DialectConversion.h"
#include "tte/IR/TTEOps.h"

namespace tte::structured {

/// A pattern that replaces an op of one result by what `build` returns; null refuses the op.
template <typename OpT> struct OpLowering : mlir::OpConversionPattern<OpT> {
  using Build = mlir::Value (*)(LocBuilder &, OpT, typename OpT::Adaptor);

  OpLowering(const mlir::TypeConverter &converter, mlir::MLIRContext *context, Build build)
      : mlir::OpConversionPattern<OpT>(converter, context), build(build) {}

  mlir::LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor operands,
                                      mlir::ConversionPatternRewriter &rewriter) const override {
    LocBuilder builder(op.getLoc(), rewriter);
    mlir::Value result = build(builder, op, operands);
    if (!result)
      return mlir::failure();
    rewriter.replaceOp(op, result);
    return mlir::success();
  }

  Build build;
};

/// Adds `build` functions of several ops.
template <typename... OpTs>
void addLowerings(mlir::RewritePatternSet &patterns, const mlir::TypeConverter &converter,
                  mlir::Value (*...builds)(LocBuilder &, OpTs, typename OpTs::Adaptor)) {
  (patterns.add<OpLowering<OpTs>>(converter, patterns.getContext(), builds), ...);
}

void populateNetworkPatterns(mlir::RewritePatternSet &patterns, const mlir::TypeConverter &types);
void populateShapePatterns(mlir::RewritePatternSet &patterns, const mlir::TypeConverter &types);
void populateGradientPatterns(mlir::RewritePatternSet &patterns, const mlir::TypeConverter &types);
void populateLossPatterns(mlir::RewritePatternSet &patterns, const mlir::TypeConverter &types);
void populateUpdatePatterns(mlir::RewritePatternSet &patterns, const mlir::TypeConverter &types);

} // namespace tte::structured

#endif // TTE_LOWERING_LINALG_PATTERNS_H
