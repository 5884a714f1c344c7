// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Structured ops on tensors of storage types: what the patterns are made of.
#ifndef TTE_LOWERING_LINALG_STRUCTURED_H
#define TTE_LOWERING_LINALG_STRUCTURED_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tte::structured {

using LocBuilder = mlir::ImplicitLocOpBuilder;
/// Builds the element of the result from the elements of the operands.
using Body = llvm::function_ref<mlir::Value(LocBuilder &, mlir::ValueRange)>;

/// A tensor and which of its elements an iteration reads; without a map the one of the iteration,
/// or the only one of a scalar.
struct Operand {
  Operand(mlir::Value tensor, mlir::AffineMap map = {}) : tensor(tensor), map(map) {}
  mlir::Value tensor;
  mlir::AffineMap map;
};

/// A vector whose elements belong to dimension `axis` of `rank` dimensions.
Operand along(mlir::Value vector, int64_t axis, int64_t rank);

/// Each element of the result from the elements of the operands.
mlir::Value mapElements(LocBuilder &builder, mlir::RankedTensorType type,
                        llvm::ArrayRef<Operand> in, Body body);

/// Starts at `initial` and takes body(operands..., accumulator) for each iteration. The result is
/// at `resultMap`, a projection of the iterations; they run in row-major order.
mlir::Value reduce(LocBuilder &builder, mlir::RankedTensorType type, mlir::TypedAttr initial,
                   mlir::AffineMap resultMap, llvm::ArrayRef<Operand> in, Body body);

/// Index `dimension` of the iteration as `type`, inside a body.
mlir::Value getIndex(LocBuilder &builder, int64_t dimension, mlir::Type type);

/// A number of an integer or float type; the attribute, and the constant.
mlir::TypedAttr getNumber(mlir::Type type, double value);
mlir::Value getConstant(LocBuilder &builder, mlir::Type type, double value);
/// The least number of a type, that which never is a maximum.
mlir::TypedAttr getLowest(mlir::Type type);
/// A constant tensor of f32 or i32.
mlir::Value getConstantTensor(LocBuilder &builder, llvm::ArrayRef<int64_t> shape,
                              llvm::ArrayRef<float> values);
mlir::Value getConstantTensor(LocBuilder &builder, llvm::ArrayRef<int64_t> shape,
                              llvm::ArrayRef<int32_t> values);

/// Sum and product of floats or integers.
mlir::Value add(LocBuilder &builder, mlir::Value lhs, mlir::Value rhs);
mlir::Value multiply(LocBuilder &builder, mlir::Value lhs, mlir::Value rhs);
/// A signed integer or a float as a `type` that holds it, or as a narrower integer.
mlir::Value convert(LocBuilder &builder, mlir::Value value, mlir::Type type);
/// The larger of two values; not-a-number wins.
mlir::Value maximum(LocBuilder &builder, mlir::Value lhs, mlir::Value rhs);
mlir::Value isEqual(LocBuilder &builder, mlir::Value lhs, mlir::Value rhs);
/// Limits a value to [lower, upper]; infinite bounds do not exist. Not-a-number stays.
mlir::Value clamp(LocBuilder &builder, mlir::Value value, double lower, double upper);
/// Whether lower < value < upper.
mlir::Value isInside(LocBuilder &builder, mlir::Value value, double lower, double upper);

/// A tensor of the given type with one value everywhere.
mlir::Value fill(LocBuilder &builder, mlir::RankedTensorType type, mlir::TypedAttr value);
/// The same elements in row-major order under another shape.
mlir::Value reshape(LocBuilder &builder, mlir::Value tensor, llvm::ArrayRef<int64_t> shape);
/// The box of `shape` at `offsets`.
mlir::Value slice(LocBuilder &builder, mlir::Value tensor, llvm::ArrayRef<int64_t> offsets,
                  llvm::ArrayRef<int64_t> shape);
/// Puts `value` around and between the elements of a tensor: `low` before, `high` after, and
/// `interior` between neighbours of each dimension. Negative `low` and `high` cut off.
mlir::Value pad(LocBuilder &builder, mlir::Value tensor, mlir::TypedAttr value,
                llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high,
                llvm::ArrayRef<int64_t> interior = {});
/// Tensors one after the other along `axis`.
mlir::Value concatenate(LocBuilder &builder, mlir::ValueRange tensors, int64_t axis);

mlir::RankedTensorType typeOf(mlir::Value tensor);

} // namespace tte::structured

#endif // TTE_LOWERING_LINALG_STRUCTURED_H
