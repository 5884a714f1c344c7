// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "FixedPoint.h"

#include <algorithm>
#include <cmath>

using namespace tte;
using namespace tte::structured;

FixedPoint structured::getFixedPoint(double value) {
  int exponent;
  double fraction = std::frexp(value, &exponent);
  int64_t multiplier = std::llround(std::ldexp(fraction, 31));
  int64_t shift = 31 - exponent;
  if (multiplier == int64_t(1) << 31) {
    multiplier >>= 1;
    --shift;
  }
  if (shift > 62) {
    int64_t excess = std::min<int64_t>(shift - 62, 32);
    multiplier = (multiplier + (int64_t(1) << (excess - 1))) >> excess;
    shift = 62;
  }
  return {int32_t(multiplier), int32_t(shift)};
}

SumFactors structured::getSumFactors(double lhs, double rhs) {
  auto scaled = [](double ratio, int shift) { return std::round(std::ldexp(ratio, shift)); };
  int shift = 30;
  while (shift > 0 && scaled(std::max(lhs, rhs), shift) > 1 << 21)
    --shift;
  if (shift == 0)
    return {0, 0, 0};
  return {int32_t(scaled(lhs, shift)), int32_t(scaled(rhs, shift)), shift};
}
