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
  mlir::Value apply(mlir::Value accumulator, Index channel);

private:
  mlir::Value applyHigh(mlir::Value accumulator, Index channel);
  mlir::Value applyWide(mlir::Value accumulator, Index channel);
  mlir::Value loadFactor(Table table, Index channel, int64_t lanes);

  KernelEmitter &kernel;
  Bounds bounds;
  int64_t zeroPoint;
  bool perChannel;
  /// All shifts are 33 or more: the high word of the product suffices.
  bool highWordSuffices;
  Table multipliers, roundings, shifts;
};

} // namespace tte

#endif // TTE_LOWERING_RESCALE_H
