// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From accumulators to stored results.
#ifndef TTE_LOWERING_RESCALE_H
#define TTE_LOWERING_RESCALE_H

#include "Elementwise.h"

namespace tte {

/// value = multiplier * 2^-shift as TOSA 1.0 RESCALE takes it: multiplier in [2^30, 2^31),
/// 2 <= shift <= 62; smaller values shift the multiplier right.
struct FixedPoint {
  int32_t multiplier;
  int32_t shift;
};
FixedPoint getFixedPoint(double value);

/// Requantization of i32 accumulators with one factor per channel, or one for all.
class Rescale {
public:
  Rescale(KernelEmitter &kernel, llvm::ArrayRef<double> factors, int64_t zeroPoint, Bounds bounds);
  /// The factors of `lanes` channels, for `apply`.
  llvm::SmallVector<mlir::Value> loadFactors(Index channel, int64_t lanes);
  mlir::Value apply(mlir::Value accumulator, llvm::ArrayRef<mlir::Value> factors);
  /// The table of the factors, where these are three words a channel.
  std::optional<Table> getTriples() const {
    return perChannel && factorStride == 3 ? std::optional(factorTables.front()) : std::nullopt;
  }

private:
  void addTables(llvm::ArrayRef<llvm::SmallVector<int32_t>> columns);
  mlir::Value applyHigh(mlir::Value accumulator, llvm::ArrayRef<mlir::Value> factors);
  mlir::Value applyWide(mlir::Value accumulator, llvm::ArrayRef<mlir::Value> factors);

  KernelEmitter &kernel;
  Bounds bounds;
  int64_t zeroPoint;
  bool perChannel;
  /// All shifts are 33 or more: the high word of the product suffices.
  bool highWordSuffices;
  /// Multipliers, rounding constants (where the high word suffices) and shifts: a channel's
  /// beside each other for scalar code, each a row of their own for vectors.
  llvm::SmallVector<Table> factorTables;
  int64_t factorStride = 1;
};

} // namespace tte

#endif // TTE_LOWERING_RESCALE_H
