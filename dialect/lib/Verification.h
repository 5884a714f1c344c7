// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks that several ops share. Each emits a diagnostic that names the value
// found and the value expected.
#ifndef TTE_LIB_VERIFICATION_H
#define TTE_LIB_VERIFICATION_H

#include "tte/IR/TTEOps.h"

namespace tte {

/// The window of a convolution or of pooling.
struct Window {
  llvm::ArrayRef<int64_t> kernel;    // kh, kw
  llvm::ArrayRef<int64_t> strides;   // sh, sw
  llvm::ArrayRef<int64_t> padding;   // top, bottom, left, right
  llvm::ArrayRef<int64_t> dilations; // dh, dw
};

/// Checks the lengths and signs of the window's numbers.
llvm::LogicalResult verifyWindow(mlir::Operation *op, const Window &window);

/// Checks that `input` under `window` gives `output` in the spatial dimensions
/// 1 and 2, and that both have rank 4 and one batch size.
llvm::LogicalResult verifySpatialShape(mlir::Operation *op, mlir::RankedTensorType input,
                                       mlir::RankedTensorType output, const Window &window);

/// Checks that `type` has the shape `expected`; `what` names the value.
llvm::LogicalResult verifyShape(mlir::Operation *op, llvm::StringRef what,
                                mlir::RankedTensorType type, llvm::ArrayRef<int64_t> expected);

/// Checks rank; `what` names the value.
llvm::LogicalResult verifyRank(mlir::Operation *op, llvm::StringRef what,
                               mlir::RankedTensorType type, int64_t rank);

/// The shape of weight parts concatenated along `axis`; fails if other
/// dimensions or the quantization differ.
llvm::FailureOr<llvm::SmallVector<int64_t>> verifyWeightParts(mlir::Operation *op,
                                                              mlir::ValueRange parts, int64_t axis);

/// Checks element types: all f32, or i8 input, i8 weights per output channel,
/// an i32 bias with the product scales, and an i8 or f32 result.
llvm::LogicalResult verifyAffineElementTypes(mlir::Operation *op, mlir::RankedTensorType input,
                                             mlir::ValueRange weights, mlir::Value bias,
                                             mlir::RankedTensorType result,
                                             bool partsSplitChannels);

inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

} // namespace tte

#endif // TTE_LIB_VERIFICATION_H
