// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emission of loops, indices, loads and arithmetic on scalars or short vectors.
#ifndef TTE_LOWERING_KERNELBUILDER_H
#define TTE_LOWERING_KERNELBUILDER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

#include <optional>

namespace tte {

/// An index whose constant part is known: base + offset; no base means a constant.
struct Index {
  mlir::Value base;
  int64_t offset = 0;

  Index(int64_t offset = 0) : offset(offset) {}
  Index(mlir::Value base, int64_t offset = 0) : base(base), offset(offset) {}
  bool isConstant() const { return !base; }
  bool isConstant(int64_t value) const { return !base && offset == value; }
  Index operator+(int64_t constant) const { return Index(base, offset + constant); }
};

/// What the code is made for.
struct KernelTarget {
  /// f32 lanes of a vector register; 1 where there are none.
  int64_t vectorWidth = 1;
  /// Whether there are the DSP instructions of Armv7E-M: products of pairs of 16-bit integers.
  bool dsp = false;

  /// Whether one instruction loads several f32: scalar targets with these DSP instructions have it.
  bool hasLoadMultiple() const { return dsp && vectorWidth == 1; }

  /// Accumulators of 32-bit integers that stay in registers, beside addresses and factors.
  /// Code generators move loads up: more accumulators than that spill.
  int64_t integerAccumulators() const { return vectorWidth == 1 ? 4 : 12; }
  /// Accumulators of f32 that stay in registers beside factors.
  int64_t floatAccumulators() const { return vectorWidth == 1 ? 24 : 12; }
  /// Steps of a sum of `length` steps in one iteration of its loop.
  int64_t getUnroll(int64_t length) const { return vectorWidth > 1 ? 2 : length > 8 ? 8 : 4; }
};

/// Builds the body of a kernel. `lanes` is the number of consecutive elements that a value holds:
/// a scalar for 1, else a vector.
class KernelBuilder {
public:
  KernelBuilder(mlir::OpBuilder &builder, mlir::Location loc, const KernelTarget &target)
      : builder(builder), loc(loc), target(target) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;
  const KernelTarget target;

  // Indices.
  mlir::Value materialize(Index index);
  Index add(Index lhs, Index rhs);
  Index sub(Index lhs, Index rhs);
  Index mul(Index lhs, int64_t factor);
  Index mul(Index lhs, Index rhs);
  Index max(Index lhs, Index rhs);
  Index min(Index lhs, Index rhs);
  Index floorDiv(Index lhs, int64_t divisor);
  Index ceilDiv(Index lhs, int64_t divisor) { return floorDiv(lhs + (divisor - 1), divisor); }
  /// Row-major position of `indices` in `shape`.
  Index linearize(llvm::ArrayRef<Index> indices, llvm::ArrayRef<int64_t> shape);

  // Loops. A loop that runs once is its body; constant bounds need no code.
  using CarriedBody =
      llvm::function_ref<llvm::SmallVector<mlir::Value>(Index, llvm::ArrayRef<mlir::Value>)>;
  llvm::SmallVector<mlir::Value> loop(Index lower, Index upper, int64_t step,
                                      llvm::ArrayRef<mlir::Value> init, CarriedBody body);
  void loop(Index lower, Index upper, int64_t step, llvm::function_ref<void(Index)> body);
  /// Nested loops over all indices of `shape`.
  void loopNest(llvm::ArrayRef<int64_t> shape,
                llvm::function_ref<void(llvm::ArrayRef<Index>)> body);
  /// Covers [0, extent) by chunks of `lanes` elements, then by single ones.
  void loopLanes(int64_t extent, int64_t lanes, llvm::function_ref<void(Index, int64_t)> body);
  /// Covers [0, extent) by tiles of `count` chunks of `lanes` elements, the rest by smaller tiles.
  /// The body gets the first element of the tile, its chunks and their lanes.
  void loopTiles(int64_t extent, int64_t count, int64_t lanes,
                 llvm::function_ref<void(Index, int64_t, int64_t)> body);
  /// Carries values through `length` steps, `unroll` of them in an iteration.
  llvm::SmallVector<mlir::Value> loopUnrolled(int64_t length, int64_t unroll,
                                              llvm::ArrayRef<mlir::Value> init, CarriedBody step);

  // Values.
  mlir::Type laneType(mlir::Type element, int64_t lanes);
  mlir::Value i32(int64_t value, int64_t lanes = 1);
  mlir::Value f32(float value, int64_t lanes = 1);
  mlir::Value splat(mlir::Value scalar, int64_t lanes);
  /// Elements at `index` as they are stored.
  mlir::Value loadStored(mlir::Value buffer, Index index, int64_t lanes = 1);
  /// Elements at `index`: f32, or integers extended to i32.
  mlir::Value load(mlir::Value buffer, Index index, int64_t lanes = 1);
  /// The `bits` / 8 bytes of an i8 buffer from `index` on as one integer, zero-extended to i32.
  mlir::Value loadPacked(mlir::Value buffer, Index index, unsigned bits);
  /// Elements `stride` apart, otherwise like `load`.
  mlir::Value loadStrided(mlir::Value buffer, Index index, int64_t stride, int64_t lanes);
  /// Stores i32 or f32 values in the element type of `buffer`; integers are truncated.
  void store(mlir::Value value, mlir::Value buffer, Index index);
  /// One value per lane from a function of the lane.
  mlir::Value fromLanes(int64_t lanes, llvm::function_ref<mlir::Value(int64_t)> scalar);

  mlir::Value toFloat(mlir::Value integer);
  mlir::Value toInteger(mlir::Value real);
  /// lhs * rhs + sum: fused for f32, wrapping for integers.
  mlir::Value multiplyAdd(mlir::Value lhs, mlir::Value rhs, mlir::Value sum);
  /// The product rounded by itself: code generators contract a product with a sum otherwise.
  mlir::Value roundedProduct(mlir::Value lhs, mlir::Value rhs);
  mlir::Value roundHalfEven(mlir::Value real);
  /// An instruction of Arm on i32 operands.
  mlir::Value armIntrinsic(llvm::StringRef name, mlir::ValueRange operands);
  /// Clamp to the bounds that are there; integers are signed.
  mlir::Value clamp(mlir::Value value, std::optional<double> lower, std::optional<double> upper);
};

/// The lanes of a scalar or vector value.
int64_t getLanes(mlir::Value value);

} // namespace tte

#endif // TTE_LOWERING_KERNELBUILDER_H
