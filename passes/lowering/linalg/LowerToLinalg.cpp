// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Patterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tte/Passes/Passes.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_LOWERTOLINALG
#include "tte/Passes/Passes.h.inc"
} // namespace tte

static void inlineDispatches(ModuleOp module) {
  IRRewriter rewriter(module.getContext());
  module.walk([&](DispatchOp dispatch) {
    Block &body = dispatch.getBody().front();
    Operation *yield = body.getTerminator();
    rewriter.inlineBlockBefore(&body, dispatch, dispatch.getInputs());
    rewriter.replaceOp(dispatch, yield->getOperands());
    rewriter.eraseOp(yield);
  });
}

/// What `tte` attributes say has been lowered along with the ops.
static void dropAttributes(ModuleOp module) {
  auto isOurs = [](NamedAttribute attribute) {
    return attribute.getName().getValue().starts_with("tte.");
  };
  module.walk([&](Operation *op) {
    for (NamedAttribute attribute : llvm::to_vector(op->getDiscardableAttrs()))
      if (isOurs(attribute))
        op->removeDiscardableAttr(attribute.getName());
    auto function = dyn_cast<FunctionOpInterface>(op);
    if (!function)
      return;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      for (NamedAttribute attribute : llvm::to_vector(function.getArgAttrs(i)))
        if (isOurs(attribute))
          function.removeArgAttr(i, attribute.getName());
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      for (NamedAttribute attribute : llvm::to_vector(function.getResultAttrs(i)))
        if (isOurs(attribute))
          function.removeResultAttr(i, attribute.getName());
  });
}

namespace {
struct StorageTypeConverter : TypeConverter {
  StorageTypeConverter() {
    addConversion([](Type type) { return type; });
    addConversion([](RankedTensorType type) { return getStorageTensor(type); });
  }
};

struct GlobalLowering : OpConversionPattern<ml_program::GlobalOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(ml_program::GlobalOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.modifyOpInPlace(op,
                             [&] { op.setType(getTypeConverter()->convertType(op.getType())); });
    return success();
  }
};

struct GlobalLoadLowering : OpConversionPattern<ml_program::GlobalLoadConstOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(ml_program::GlobalLoadConstOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<ml_program::GlobalLoadConstOp>(
        op, getTypeConverter()->convertType(op.getType()), op.getGlobalAttr());
    return success();
  }
};

struct LowerToLinalgPass : tte::impl::LowerToLinalgBase<LowerToLinalgPass> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    inlineDispatches(getOperation());
    StorageTypeConverter types;
    RewritePatternSet patterns(context);
    structured::populateNetworkPatterns(patterns, types);
    structured::populateShapePatterns(patterns, types);
    structured::populateGradientPatterns(patterns, types);
    structured::populateLossPatterns(patterns, types);
    structured::populateUpdatePatterns(patterns, types);
    patterns.add<GlobalLowering, GlobalLoadLowering>(types, context);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns, types);
    populateReturnOpTypeConversionPattern(patterns, types);
    populateCallOpTypeConversionPattern(patterns, types);

    ConversionTarget target(*context);
    target.addIllegalDialect<TTEDialect>();
    target.markUnknownOpDynamicallyLegal([&](Operation *op) { return types.isLegal(op); });
    target.addDynamicallyLegalOp<func::FuncOp>(
        [&](func::FuncOp op) { return types.isSignatureLegal(op.getFunctionType()); });
    target.addDynamicallyLegalOp<ml_program::GlobalOp>(
        [&](ml_program::GlobalOp op) { return types.isLegal(op.getType()); });
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      return signalPassFailure();
    dropAttributes(getOperation());
  }
};
} // namespace
