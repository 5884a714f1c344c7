// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From ranges and values of real numbers to grids: x = scale * (q - zero_point).
// Every scale is one that the textual form of its type keeps (`printableScale`).
#ifndef TTE_TRAINING_GRIDS_H
#define TTE_TRAINING_GRIDS_H

#include "tte/IR/TTEOps.h"

namespace tte {

/// The i8 grid of an activation: asymmetric, over `range` extended to hold 0, with 0 exactly
/// on the grid. A range of no width counts as [0, 1]. The scale is at least `leastScale`.
mlir::quant::UniformQuantizedType activationGrid(RangeAttr range, double leastScale);

/// The products an output may sum for `biasBound` to leave room for a bias.
constexpr int64_t kMaxProducts = ((int64_t(1) << 31) - 2) / (255 * 127);

/// The largest magnitude that a stored bias may have so that no i8 input overflows the i32
/// accumulator of `products` products, whatever the weights: 2^31 - 1 - 255 * 127 * products.
int64_t biasBound(int64_t products);

/// The i8<-127:127> grid of a weight whose last dimension is the output channel o:
/// scale[o] = max |weight[..., o]| / 127, but at least
/// * |bias[o]| / (inputScale * min(2^30, biasBound)), so that the bias fits its grid, and
/// * 2^-16 of the largest scale among the channels.
/// A channel of zeros has the largest scale; a weight of zeros has the scale 1 / 127.
/// `bias` may be null.
mlir::quant::UniformQuantizedPerAxisType
weightGrid(mlir::DenseElementsAttr weight, mlir::DenseElementsAttr bias, double inputScale);

/// The i32 grid of a bias, scale[o] = inputScale * scale of weight[o], within +-biasBound.
mlir::quant::UniformQuantizedPerAxisType biasGrid(mlir::quant::UniformQuantizedPerAxisType weight,
                                                  int64_t products, double inputScale);

/// `values` (f32, at least one dimension) on a grid along the last dimension: rounded half to
/// even, saturated, in the storage type.
mlir::DenseElementsAttr toGrid(mlir::DenseElementsAttr values,
                               mlir::quant::UniformQuantizedPerAxisType grid);

/// A range of real values on a grid: rounded half to even, saturated.
ClampAttr toGrid(ClampAttr range, mlir::quant::UniformQuantizedType grid);

} // namespace tte

#endif // TTE_TRAINING_GRIDS_H
