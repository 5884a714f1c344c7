// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Real factors as integers, the way the descriptions of `tte.conv2d` and `tte.add` define them.
#ifndef TTE_LOWERING_LINALG_FIXEDPOINT_H
#define TTE_LOWERING_LINALG_FIXEDPOINT_H

#include <cstdint>

namespace tte::structured {

/// value = multiplier * 2^-shift as TOSA 1.0 RESCALE takes it: multiplier in [2^30, 2^31),
/// shift <= 62; smaller values shift the multiplier right. RESCALE needs shift >= 2, that is
/// value < 2^29.
struct FixedPoint {
  int32_t multiplier;
  int32_t shift;
};
FixedPoint getFixedPoint(double value);

/// lhs = lhsMultiplier * 2^-shift and rhs alike, with the largest shift in [1, 30] at which the
/// larger multiplier is at most 2^21; shift is 0 where there is none (a ratio above 2^20).
struct SumFactors {
  int32_t lhsMultiplier, rhsMultiplier;
  int32_t shift;
};
SumFactors getSumFactors(double lhs, double rhs);

} // namespace tte::structured

#endif // TTE_LOWERING_LINALG_FIXEDPOINT_H
