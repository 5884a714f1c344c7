// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "AffineResult.h"
#include "ConvShape.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

/// Wide rows have few channels whose factors are loaded for every few pixels.
static bool isHot(Value result) {
  constexpr int64_t wideRow = 32;
  auto type = cast<RankedTensorType>(result.getType());
  return type.getRank() == 4 && type.getDimSize(2) >= wideRow;
}

AffineResult::AffineResult(KernelEmitter &kernel, Value input, ValueRange weights, Value bias,
                           Value result, std::optional<ClampAttr> clamp, int64_t channelAxis)
    : kernel(kernel), inputType(getQuantizedElement(input.getType())),
      inputZeroPoint(getZeroPoint(input.getType())), bias(bias ? kernel.bufferOf(bias) : Value()),
      bounds(getBounds(result.getType(), clamp)) {
  if (!inputType)
    return;
  double inputScale = getScale(inputType, 0);
  SmallVector<double> factors =
      llvm::map_to_vector(getOutputScales(weights, channelAxis),
                          [&](double weightScale) { return inputScale * weightScale; });
  if (quant::QuantizedType resultType = getQuantizedElement(result.getType())) {
    for (double &factor : factors)
      factor /= getScale(resultType, 0);
    rescale.emplace(kernel, factors, getZeroPoint(result.getType()), bounds, isHot(result));
  } else {
    scales =
        kernel.addTable(llvm::map_to_vector(factors, [](double factor) { return float(factor); }));
  }
}

Value AffineResult::getInitial(Index channel, int64_t lanes) {
  if (bias)
    return kernel.load(bias, channel, lanes);
  return isQuantized() ? kernel.i32(0, lanes) : kernel.f32(0, lanes);
}

SmallVector<Value> AffineResult::loadFactors(Index channel, int64_t lanes) {
  if (rescale)
    return rescale->loadFactors(channel, lanes);
  if (scales)
    return {kernel.loadTable(*scales, channel, lanes)};
  return {};
}

Value AffineResult::finish(Value accumulator, ArrayRef<Value> factors) {
  if (rescale)
    return rescale->apply(accumulator, factors);
  if (scales)
    accumulator = arith::MulFOp::create(kernel.builder, kernel.loc, kernel.toFloat(accumulator),
                                        factors.front());
  return kernel.clamp(accumulator, bounds.lower, bounds.upper);
}

Value tte::loadCentred(KernelBuilder &kernel, Value buffer, Index index, int64_t lanes,
                       int64_t zeroPoint) {
  Value stored = kernel.load(buffer, index, lanes);
  if (zeroPoint == 0)
    return stored;
  return arith::AddIOp::create(kernel.builder, kernel.loc, stored, kernel.i32(-zeroPoint, lanes));
}
