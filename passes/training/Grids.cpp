// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Grids.h"

#include <cmath>

using namespace mlir;
using namespace tte;
using mlir::quant::QuantizedType;
using mlir::quant::UniformQuantizedPerAxisType;
using mlir::quant::UniformQuantizedType;

constexpr int64_t kWeightMax = 127;
constexpr int64_t kLevels = 255;

/// The number of the grid nearest to `real`, ties to even (std::nearbyint in the default
/// rounding mode).
static int64_t nearestOnGrid(double real, double scale, int64_t zeroPoint, QuantizedType grid) {
  double number = std::nearbyint(real / scale) + zeroPoint;
  return std::clamp<double>(number, grid.getStorageTypeMin(), grid.getStorageTypeMax());
}

UniformQuantizedType tte::activationGrid(RangeAttr range, double leastScale) {
  MLIRContext *context = range.getContext();
  double min = std::min(range.getMin(), 0.0), max = std::max(range.getMax(), 0.0);
  if (min == max)
    max = 1.0;
  double scale = printableScale(std::max((max - min) / kLevels, leastScale));
  int64_t zeroPoint = std::clamp<double>(std::nearbyint(-128 - min / scale), -128, 127);
  return UniformQuantizedType::get(quant::QuantizationFlags::Signed, IntegerType::get(context, 8),
                                   Float32Type::get(context), scale, zeroPoint, -128, 127);
}

int64_t tte::biasBound(int64_t products) {
  return std::numeric_limits<int32_t>::max() - kLevels * kWeightMax * products;
}

/// max |weight[..., o]| for each o.
static SmallVector<double> channelMaxima(DenseElementsAttr weight) {
  int64_t channels = weight.getType().getShape().back();
  SmallVector<double> maxima(channels, 0.0);
  for (auto [index, value] : llvm::enumerate(weight.getValues<float>()))
    maxima[index % channels] = std::max<double>(maxima[index % channels], std::abs(value));
  return maxima;
}

UniformQuantizedPerAxisType tte::weightGrid(DenseElementsAttr weight, DenseElementsAttr bias,
                                            double inputScale) {
  SmallVector<double> scales = channelMaxima(weight);
  double largest = *llvm::max_element(scales);
  if (largest == 0.0)
    largest = 1.0;
  int64_t products = weight.getNumElements() / scales.size();
  double biasMax = std::min<double>(1 << 30, biasBound(products));
  for (auto [o, scale] : llvm::enumerate(scales)) {
    double magnitude = scale == 0.0 ? largest : std::max(scale, std::ldexp(largest, -16));
    scale = magnitude / kWeightMax;
    if (bias)
      scale = std::max(scale, std::abs(bias.getValues<float>()[o]) / (inputScale * biasMax));
    scale = printableScale(scale);
  }
  MLIRContext *context = weight.getContext();
  SmallVector<int64_t> zeroPoints(scales.size(), 0);
  return UniformQuantizedPerAxisType::get(
      quant::QuantizationFlags::Signed, IntegerType::get(context, 8), Float32Type::get(context),
      scales, zeroPoints, weight.getType().getRank() - 1, -kWeightMax, kWeightMax);
}

UniformQuantizedPerAxisType tte::biasGrid(UniformQuantizedPerAxisType weight, int64_t products,
                                          double inputScale) {
  MLIRContext *context = weight.getContext();
  SmallVector<double> scales = llvm::map_to_vector(
      weight.getScales(), [&](double scale) { return printableScale(inputScale * scale); });
  SmallVector<int64_t> zeroPoints(scales.size(), 0);
  int64_t bound = biasBound(products);
  return UniformQuantizedPerAxisType::get(
      quant::QuantizationFlags::Signed, IntegerType::get(context, 32), Float32Type::get(context),
      scales, zeroPoints, /*quantizedDimension=*/0, -bound, bound);
}

DenseElementsAttr tte::toGrid(DenseElementsAttr values, UniformQuantizedPerAxisType grid) {
  ArrayRef<double> scales = grid.getScales();
  auto storage = cast<IntegerType>(grid.getStorageType());
  SmallVector<APInt> numbers;
  numbers.reserve(values.getNumElements());
  for (auto [index, value] : llvm::enumerate(values.getValues<float>())) {
    int64_t number = nearestOnGrid(value, scales[index % scales.size()], 0, grid);
    numbers.emplace_back(storage.getWidth(), number, /*isSigned=*/true);
  }
  return DenseElementsAttr::get(values.getType().clone(storage), numbers);
}

ClampAttr tte::toGrid(ClampAttr range, UniformQuantizedType grid) {
  auto bound = [&](double real) {
    return nearestOnGrid(real, grid.getScale(), grid.getZeroPoint(), grid);
  };
  return ClampAttr::get(range.getContext(), bound(range.getMin()), bound(range.getMax()));
}
