// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "DerivedScales.h"
#include "ConvShape.h"
#include "llvm/ADT/bit.h"

#include <cmath>

using namespace mlir;
using namespace tte;

ScaleTables::ScaleTables(ModuleOp kernels) {
  auto add = [&](auto op) {
    if (getQuantizedElement(op.getWeights().front().getType()))
      tables.push_back(llvm::map_to_vector(getOutputScales(op.getWeights(), op.getWeightAxis()),
                                           [](double scale) { return float(scale); }));
  };
  kernels.walk([&](Conv2DInputGradOp op) { add(op); });
  kernels.walk([&](DenseInputGradOp op) { add(op); });
}

/// Positive f32 are ordered as the integers of the same bits.
static int64_t toBits(float value) { return llvm::bit_cast<int32_t>(value); }

static std::optional<DerivedScales> deriveFrom(ArrayRef<float> base, ArrayRef<float> scales) {
  double least = INFINITY, largest = 0;
  for (auto [divisor, scale] : llvm::zip_equal(base, scales)) {
    double product = double(divisor) * scale;
    least = std::min(least, product);
    largest = std::max(largest, product);
    if (!(largest - least < 0x1p-16 * least))
      return std::nullopt;
  }
  DerivedScales derived{llvm::to_vector(base), float((least + largest) / 2), {}};
  for (auto [divisor, scale] : llvm::zip_equal(base, scales)) {
    int64_t steps = toBits(scale) - toBits(derived.factor / divisor);
    if (steps != int8_t(steps))
      return std::nullopt;
    derived.steps.push_back(steps);
  }
  return derived;
}

std::optional<DerivedScales> ScaleTables::derive(ArrayRef<float> scales) const {
  // A few scales are proportional to others by chance, and save nothing.
  constexpr size_t fewest = 8;
  if (scales.size() < fewest)
    return std::nullopt;
  for (ArrayRef<float> table : tables)
    for (size_t first = 0; first + scales.size() <= table.size(); ++first)
      if (auto derived = deriveFrom(table.slice(first, scales.size()), scales))
        return derived;
  return std::nullopt;
}
