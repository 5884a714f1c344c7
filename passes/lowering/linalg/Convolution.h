// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sliding windows: convolution, its two transposes, and pools. A dense layer is a convolution of a
// 1x1 map by a 1x1 kernel; every convolution is grouped, by one group where it is not.
#ifndef TTE_LOWERING_LINALG_CONVOLUTION_H
#define TTE_LOWERING_LINALG_CONVOLUTION_H

#include "Structured.h"
#include "tte/IR/TTEOps.h"

namespace tte::structured {

/// Sizes of a convolution with the whole weight.
struct Convolution {
  llvm::SmallVector<int64_t> input;  // n, h, w, ci
  llvm::SmallVector<int64_t> weight; // kh, kw, ci / groups, co
  llvm::SmallVector<int64_t> output; // n, oh, ow, co
  llvm::SmallVector<int64_t> strides{1, 1}, padding{0, 0, 0, 0}, dilations{1, 1};
  int64_t groups = 1;
};
Convolution getConvolution(Conv2DOp op);
Convolution getConvolution(Conv2DInputGradOp op);
/// The convolution by the range of the weight whose gradient is wanted.
Convolution getConvolution(Conv2DWeightGradOp op);
Convolution getConvolution(DenseOp op);
Convolution getConvolution(DenseInputGradOp op);
Convolution getConvolution(DenseWeightGradOp op);

/// The sums of products (n, oh, ow, co) in the type `accumulator`.
mlir::Value convolve(LocBuilder &builder, const Convolution &convolution, mlir::Value input,
                     mlir::Value weights, mlir::Type accumulator);
/// dL/dinput (n, h, w, ci) from dL/doutput and the weights, f32.
mlir::Value transposeToInput(LocBuilder &builder, const Convolution &convolution,
                             mlir::Value gradient, mlir::Value weights);
/// dL/dweights (kh, kw, ci / groups, co) from the input and dL/doutput, f32.
mlir::Value transposeToWeight(LocBuilder &builder, const Convolution &convolution,
                              mlir::Value input, mlir::Value gradient);

/// The window of a pool (n, h, w, c) -> (n, oh, ow, c).
struct Pool {
  llvm::ArrayRef<int64_t> input, output; // n, h, w, c
  llvm::ArrayRef<int64_t> kernel, strides, padding;
};

/// Reduces the windows of `input`, padded with `border`: body(element, others..., accumulator),
/// where the elements of `others` (n, oh, ow, c) are those at the window's result.
mlir::Value poolWindows(LocBuilder &builder, const Pool &pool, mlir::Value input,
                        mlir::TypedAttr border, mlir::ValueRange others, mlir::TypedAttr initial,
                        Body body);
/// The number of the tap in row-major order as i32, inside the body of `poolWindows`.
mlir::Value getTap(LocBuilder &builder, const Pool &pool);
/// What each element of the input gets from the windows that hold it, the sum of share(elements of
/// `windows` (n, oh, ow, c)..., number of the tap as i32). Where there is no window the elements
/// are `borders`; share must be 0 for them.
mlir::Value gatherFromWindows(LocBuilder &builder, const Pool &pool, mlir::ValueRange windows,
                              llvm::ArrayRef<mlir::TypedAttr> borders, Body share);
/// How many taps of each window lie inside the input, (oh, ow).
llvm::SmallVector<int32_t> countTaps(const Pool &pool);
/// Operand of the sizes (oh, ow) for a result (n, oh, ow, c).
Operand perWindow(mlir::Value sizes);

} // namespace tte::structured

#endif // TTE_LOWERING_LINALG_CONVOLUTION_H
