// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops of the forward pass that compute.
#include "Convolution.h"
#include "FixedPoint.h"
#include "Grids.h"
#include "Patterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tte;
using namespace tte::structured;

//===----------------------------------------------------------------------===//
// conv2d and dense
//===----------------------------------------------------------------------===//

/// ((accumulator * multiplier + (1 << (shift - 1))) >> shift) + zeroPoint within the bounds, in
/// 64 bits.
static Value rescale(LocBuilder &builder, Value accumulator, Value multiplier, Value shift,
                     int64_t zeroPoint, Bounds bounds) {
  Type i64 = builder.getI64Type();
  auto wide = [&](Value value) { return convert(builder, value, i64); };
  Value one = getConstant(builder, i64, 1);
  Value half =
      arith::ShLIOp::create(builder, one, arith::SubIOp::create(builder, wide(shift), one));
  Value sum = add(builder, multiply(builder, wide(accumulator), wide(multiplier)), half);
  Value rounded = arith::ShRSIOp::create(builder, sum, wide(shift));
  Value result = add(builder, rounded, getConstant(builder, i64, zeroPoint));
  return clamp(builder, result, bounds.lower, bounds.upper);
}

/// Requantizes i32 accumulators with a factor per channel. Null if a factor is out of range.
static Value requantize(LocBuilder &builder, AffineOpInterface op, Value accumulators,
                        ArrayRef<double> factors, Bounds bounds) {
  RankedTensorType type = storageOf(op->getResult(0));
  int64_t rank = type.getRank(), zeroPoint = getZeroPoint(op->getResult(0).getType());
  SmallVector<int32_t> multipliers, shifts;
  for (double factor : factors) {
    FixedPoint point = getFixedPoint(factor);
    if (point.shift < 2)
      return op.emitOpError() << "requantization needs factors below 2^29, found " << factor,
             Value();
    multipliers.push_back(point.multiplier);
    shifts.push_back(point.shift);
  }
  Value multiplier = getConstantTensor(builder, multipliers.size(), multipliers);
  Value shift = getConstantTensor(builder, shifts.size(), shifts);
  return mapElements(
      builder, type,
      {accumulators, along(multiplier, rank - 1, rank), along(shift, rank - 1, rank)},
      [&](LocBuilder &inside, ValueRange elements) {
        Value result = rescale(inside, elements[0], elements[1], elements[2], zeroPoint, bounds);
        return convert(inside, result, type.getElementType());
      });
}

/// accumulators * f32(factor) within the bounds, with a factor per channel.
static Value toReal(LocBuilder &builder, Value accumulators, ArrayRef<double> factors,
                    Bounds bounds) {
  RankedTensorType type = typeOf(accumulators).clone(builder.getF32Type());
  int64_t rank = type.getRank();
  auto narrow = llvm::map_to_vector(factors, [](double factor) { return float(factor); });
  Value factor = getConstantTensor(builder, narrow.size(), narrow);
  return mapElements(builder, type, {accumulators, along(factor, rank - 1, rank)},
                     [&](LocBuilder &inside, ValueRange elements) {
                       Value real = convert(inside, elements[0], inside.getF32Type());
                       Value product = multiply(inside, real, elements[1]);
                       return clamp(inside, product, bounds.lower, bounds.upper);
                     });
}

static Value clampElements(LocBuilder &builder, Value tensor, Bounds bounds) {
  return mapElements(builder, typeOf(tensor), {tensor},
                     [&](LocBuilder &inside, ValueRange elements) {
                       return clamp(inside, elements[0], bounds.lower, bounds.upper);
                     });
}

static Value addBias(LocBuilder &builder, Value sums, Value bias) {
  int64_t rank = typeOf(sums).getRank();
  return mapElements(builder, typeOf(sums), {sums, along(bias, rank - 1, rank)},
                     [](LocBuilder &inside, ValueRange elements) {
                       return add(inside, elements[0], elements[1]);
                     });
}

template <typename OpT>
static Value lowerAffine(LocBuilder &builder, OpT op, typename OpT::Adaptor operands) {
  Type input = op.getInput().getType();
  quant::QuantizedType grid = getQuantizedElement(input);
  Type accumulator = grid ? Type(builder.getI32Type()) : builder.getF32Type();
  // q - z fits in nine bits.
  Value centred = centre(builder, operands.getInput(), input, builder.getI16Type());
  Value weights = concatenate(builder, operands.getWeights(), op.getWeightAxis());
  Value sums = convolve(builder, getConvolution(op), centred, weights, accumulator);
  sums = reshape(builder, sums, typeOf(op.getResult()).getShape());
  if (op.getBias())
    sums = addBias(builder, sums, operands.getBias());
  Bounds bounds = getBounds(op.getResult().getType(), op.getClamp());
  if (!grid)
    return clampElements(builder, sums, bounds);
  SmallVector<double> factors = getOutputScales(op.getWeights(), op.getWeightAxis());
  quant::QuantizedType resultGrid = getQuantizedElement(op.getResult().getType());
  for (double &factor : factors) {
    factor *= getScale(grid, 0);
    if (resultGrid)
      factor /= getScale(resultGrid, 0);
  }
  if (!resultGrid)
    return toReal(builder, sums, factors, bounds);
  return requantize(builder, op, sums, factors, bounds);
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

static Value lowerAdd(LocBuilder &builder, AddOp op, AddOp::Adaptor operands) {
  Type lhs = op.getLhs().getType(), rhs = op.getRhs().getType(), type = op.getType();
  RankedTensorType stored = storageOf(op);
  Bounds bounds = getBounds(type, op.getClamp());
  if (!getQuantizedElement(type))
    return mapElements(builder, stored, {operands.getLhs(), operands.getRhs()},
                       [&](LocBuilder &inside, ValueRange elements) {
                         Value sum = add(inside, elements[0], elements[1]);
                         return clamp(inside, sum, bounds.lower, bounds.upper);
                       });
  auto scaleOf = [](Type tensor) { return getScale(getQuantizedElement(tensor), 0); };
  double lhsRatio = scaleOf(lhs) / scaleOf(type), rhsRatio = scaleOf(rhs) / scaleOf(type);
  SumFactors factors = getSumFactors(lhsRatio, rhsRatio);
  if (factors.shift == 0)
    return op.emitOpError()
               << "needs ratios of the scales of operands and result up to 2^20, found "
               << std::max(lhsRatio, rhsRatio),
           Value();
  Type i32 = builder.getI32Type();
  auto constant = [i32](LocBuilder &inside, int64_t value) {
    return getConstant(inside, i32, value);
  };
  auto sum = [&](LocBuilder &inside, ValueRange elements) {
    Value total = constant(inside, 1 << (factors.shift - 1));
    auto accumulate = [&](Value element, Type tensor, int32_t multiplier) {
      Value centred = arith::SubIOp::create(inside, convert(inside, element, i32),
                                            constant(inside, getZeroPoint(tensor)));
      total = add(inside, total, multiply(inside, centred, constant(inside, multiplier)));
    };
    accumulate(elements[0], lhs, factors.lhsMultiplier);
    accumulate(elements[1], rhs, factors.rhsMultiplier);
    Value rounded = arith::ShRSIOp::create(inside, total, constant(inside, factors.shift));
    Value result = add(inside, rounded, constant(inside, getZeroPoint(type)));
    result = clamp(inside, result, bounds.lower, bounds.upper);
    return convert(inside, result, stored.getElementType());
  };
  return mapElements(builder, stored, {operands.getLhs(), operands.getRhs()}, sum);
}

static Value lowerClamp(LocBuilder &builder, ClampOp op, ClampOp::Adaptor operands) {
  return clampElements(builder, operands.getInput(), getBounds(op.getType(), op.getRange()));
}

static Value lowerQuantize(LocBuilder &builder, QuantizeOp op, QuantizeOp::Adaptor operands) {
  quant::QuantizedType grid = getQuantizedElement(op.getType());
  Bounds bounds = getBounds(op.getType(), std::nullopt);
  RankedTensorType stored = storageOf(op);
  int64_t zeroPoint = getZeroPoint(op.getType());
  auto round = [&](LocBuilder &inside, ValueRange elements) {
    Type f32 = inside.getF32Type();
    Value scaled = arith::DivFOp::create(inside, elements[0],
                                         getConstant(inside, f32, float(getScale(grid, 0))));
    Value rounded = math::RoundEvenOp::create(inside, scaled);
    // Bounded before the conversion, which is defined for what fits alone.
    Value bounded = clamp(inside, rounded, bounds.lower - zeroPoint, bounds.upper - zeroPoint);
    Value result = add(inside, convert(inside, bounded, inside.getI64Type()),
                       getConstant(inside, inside.getI64Type(), zeroPoint));
    result = clamp(inside, result, bounds.lower, bounds.upper);
    return convert(inside, result, stored.getElementType());
  };
  return mapElements(builder, stored, {operands.getInput()}, round);
}

static Value lowerDequantize(LocBuilder &builder, DequantizeOp op, DequantizeOp::Adaptor operands) {
  Type type = op.getInput().getType();
  Value centred = centre(builder, operands.getInput(), type, builder.getI32Type());
  return scaleBy(builder, centred, getQuantizedElement(type), 1);
}

//===----------------------------------------------------------------------===//
// Pools
//===----------------------------------------------------------------------===//

static Value lowerAvgPool(LocBuilder &builder, AvgPool2DOp op, AvgPool2DOp::Adaptor operands) {
  RankedTensorType input = typeOf(operands.getInput()), type = storageOf(op);
  Pool pool{input.getShape(), type.getShape(), op.getKernel(), op.getStrides(), op.getPadding()};
  bool isFloat = type.getElementType().isF32();
  Type accumulator = isFloat ? Type(builder.getF32Type()) : builder.getI32Type();
  Value sums =
      poolWindows(builder, pool, operands.getInput(), getNumber(input.getElementType(), 0), {},
                  getNumber(accumulator, 0), [&](LocBuilder &inside, ValueRange elements) {
                    return add(inside, convert(inside, elements[0], accumulator), elements[1]);
                  });
  Value counts = getConstantTensor(builder, pool.output.slice(1, 2), countTaps(pool));
  auto divide = [&](LocBuilder &inside, ValueRange elements) -> Value {
    Value sum = elements[0], count = convert(inside, elements[1], accumulator);
    if (isFloat)
      return arith::DivFOp::create(inside, sum, count);
    Value twice = add(inside, add(inside, sum, sum), count);
    Value quotient = arith::FloorDivSIOp::create(inside, twice, add(inside, count, count));
    return convert(inside, quotient, type.getElementType());
  };
  return mapElements(builder, type, {sums, perWindow(counts)}, divide);
}

static Value lowerMaxPool(LocBuilder &builder, MaxPool2DOp op, MaxPool2DOp::Adaptor operands) {
  RankedTensorType input = typeOf(operands.getInput()), type = storageOf(op);
  Pool pool{input.getShape(), type.getShape(), op.getKernel(), op.getStrides(), op.getPadding()};
  TypedAttr lowest = getLowest(type.getElementType());
  return poolWindows(builder, pool, operands.getInput(), lowest, {}, lowest,
                     [](LocBuilder &inside, ValueRange elements) {
                       return maximum(inside, elements[0], elements[1]);
                     });
}

void structured::populateNetworkPatterns(RewritePatternSet &patterns, const TypeConverter &types) {
  addLowerings(patterns, types, lowerAffine<Conv2DOp>, lowerAffine<DenseOp>, lowerAdd, lowerClamp,
               lowerQuantize, lowerDequantize, lowerAvgPool, lowerMaxPool);
}
