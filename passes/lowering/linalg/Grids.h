// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From stored values to real ones and back.
#ifndef TTE_LOWERING_LINALG_GRIDS_H
#define TTE_LOWERING_LINALG_GRIDS_H

#include "Structured.h"
#include "tte/IR/TTEOps.h"

namespace tte::structured {

/// The tensor that stores a value of that type.
mlir::RankedTensorType storageOf(mlir::Value value);

/// q - zero_point of the stored `tensor` of a value of type `type`, as `element`; a value of f32
/// is what it is.
mlir::Value centre(LocBuilder &builder, mlir::Value tensor, mlir::Type type, mlir::Type element);

/// The scales of the output channels of a weight whose parts follow each other along `axis`.
llvm::SmallVector<double> getOutputScales(mlir::ValueRange parts, int64_t axis);

/// The real values f32(s) * f32(q) of a weight: all parts, concatenated along `axis`. `parts` are
/// the values with their quantized types, `stored` their tensors.
mlir::Value getRealWeight(LocBuilder &builder, mlir::ValueRange parts, mlir::ValueRange stored,
                          int64_t axis);

/// `tensor` times f32(scale^power) of `grid`, along its axis.
mlir::Value scaleBy(LocBuilder &builder, mlir::Value tensor, mlir::quant::QuantizedType grid,
                    int64_t power);

/// Bounds of a result in its stored domain: its clamp within its storage range.
struct Bounds {
  double lower, upper;
};
Bounds getBounds(mlir::Type type, std::optional<ClampAttr> clamp);

} // namespace tte::structured

#endif // TTE_LOWERING_LINALG_GRIDS_H
