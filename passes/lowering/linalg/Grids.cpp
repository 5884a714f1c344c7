// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Grids.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace tte;
using namespace tte::structured;

RankedTensorType structured::storageOf(Value value) { return getStorageTensor(typeOf(value)); }

Value structured::centre(LocBuilder &builder, Value tensor, Type type, Type element) {
  if (!getQuantizedElement(type))
    return tensor;
  auto subtract = [&](LocBuilder &inside, ValueRange elements) -> Value {
    Type i32 = inside.getI32Type();
    Value zero = getConstant(inside, i32, getZeroPoint(type));
    Value wide = convert(inside, elements[0], i32);
    return convert(inside, arith::SubIOp::create(inside, wide, zero), element);
  };
  return mapElements(builder, typeOf(tensor).clone(element), {tensor}, subtract);
}

SmallVector<double> structured::getOutputScales(ValueRange parts, int64_t axis) {
  SmallVector<double> scales;
  for (Value part : parts) {
    int64_t channels = typeOf(part).getShape().back();
    for (int64_t channel = 0; channel < channels; ++channel)
      scales.push_back(getScale(getQuantizedElement(part.getType()), channel));
    if (axis != typeOf(part).getRank() - 1)
      break;
  }
  return scales;
}

Value structured::scaleBy(LocBuilder &builder, Value tensor, quant::QuantizedType grid,
                          int64_t power) {
  SmallVector<double> storage;
  auto factors = llvm::map_to_vector(getScales(grid, storage), [&](double scale) {
    return float(std::pow(scale, double(power)));
  });
  RankedTensorType type = typeOf(tensor);
  int64_t axis = getQuantizedAxis(grid);
  ArrayRef<int64_t> shape = axis < 0 ? ArrayRef<int64_t>() : type.getShape().slice(axis, 1);
  Value factor = getConstantTensor(builder, shape, factors);
  Operand operand = axis < 0 ? Operand(factor) : along(factor, axis, type.getRank());
  return mapElements(builder, type.clone(builder.getF32Type()), {tensor, operand},
                     [](LocBuilder &inside, ValueRange elements) {
                       Value real = convert(inside, elements[0], inside.getF32Type());
                       return multiply(inside, elements[1], real);
                     });
}

Value structured::getRealWeight(LocBuilder &builder, ValueRange parts, ValueRange stored,
                                int64_t axis) {
  SmallVector<Value> real;
  for (auto [part, tensor] : llvm::zip(parts, stored)) {
    quant::QuantizedType grid = getQuantizedElement(part.getType());
    real.push_back(grid ? scaleBy(builder, tensor, grid, 1) : tensor);
  }
  return concatenate(builder, real, axis);
}

Bounds structured::getBounds(Type type, std::optional<ClampAttr> clamp) {
  double infinity = std::numeric_limits<double>::infinity();
  Bounds bounds{-infinity, infinity};
  if (clamp)
    bounds = {clamp->getMin(), clamp->getMax()};
  if (quant::QuantizedType grid = getQuantizedElement(type))
    bounds = {std::max<double>(bounds.lower, grid.getStorageTypeMin()),
              std::min<double>(bounds.upper, grid.getStorageTypeMax())};
  return bounds;
}
