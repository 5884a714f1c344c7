// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Updates of parameters.
#include "Grids.h"
#include "Patterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "tte/Passes/Origin.h"

#include <cmath>

using namespace mlir;
using namespace tte;
using namespace tte::structured;

static Value lowerScaleGradient(LocBuilder &builder, ScaleGradientOp op,
                                ScaleGradientOp::Adaptor operands) {
  return scaleBy(builder, operands.getGradient(), cast<quant::QuantizedType>(op.getGrid()),
                 op.getPower());
}

//===----------------------------------------------------------------------===//
// Stochastic rounding
//===----------------------------------------------------------------------===//

/// A 32-bit word; arithmetic on it wraps.
static Value getWord(LocBuilder &builder, uint32_t word) {
  return arith::ConstantOp::create(builder, builder.getI32IntegerAttr(int32_t(word)));
}

/// lowbias32.
static Value mix(LocBuilder &builder, Value word) {
  auto fold = [&](uint32_t shift) {
    Value high = arith::ShRUIOp::create(builder, word, getWord(builder, shift));
    word = arith::XOrIOp::create(builder, word, high);
  };
  fold(16);
  word = multiply(builder, word, getWord(builder, 0x7feb352d));
  fold(15);
  word = multiply(builder, word, getWord(builder, 0x846ca68b));
  fold(16);
  return word;
}

/// Element `word` of a constant list of words.
static Value lookUp(LocBuilder &builder, ArrayRef<int64_t> list, Value word) {
  auto type = RankedTensorType::get({int64_t(list.size())}, builder.getI32Type());
  Value table = arith::ConstantOp::create(
      builder, DenseElementsAttr::get(type, ArrayRef(SmallVector<int32_t>(list))));
  Value index = arith::IndexCastOp::create(builder, builder.getIndexType(), word);
  return tensor::ExtractOp::create(builder, table, ValueRange(index));
}

/// The row-major index of the iteration's element in the full parameter.
static Value getIndexInFullParameter(LocBuilder &builder, SGDOp op) {
  ArrayRef<int64_t> shape = typeOf(op).getShape();
  std::optional<OriginAttr> origin = op.getOrigin();
  Value index = getWord(builder, 0);
  for (int64_t d = 0; d < int64_t(shape.size()); ++d) {
    Value place = getIndex(builder, d, builder.getI32Type());
    ArrayRef<int64_t> places = getPlaces(op, d);
    if (!places.empty())
      place = lookUp(builder, places, place);
    else if (origin)
      place = add(builder, place, getWord(builder, origin->getOffsets()[d]));
    Value size = getWord(builder, origin ? origin->getShape()[d] : shape[d]);
    index = add(builder, multiply(builder, index, size), place);
  }
  return index;
}

/// u in [0, 1) for the iteration's element.
static Value getUniform(LocBuilder &builder, SGDOp op, Value step) {
  Value key = add(builder, multiply(builder, step, getWord(builder, 0x85ebca6b)),
                  getWord(builder, op.getStream()));
  Value counter =
      multiply(builder, getIndexInFullParameter(builder, op), getWord(builder, 0x9e3779b9));
  Value word = mix(builder, add(builder, counter, mix(builder, key)));
  Value bits = arith::ShRUIOp::create(builder, word, getWord(builder, 8));
  Type f32 = builder.getF32Type();
  return multiply(builder, convert(builder, bits, f32),
                  getConstant(builder, f32, std::ldexp(1.0, -24)));
}

/// The change of a parameter on a grid as a whole number.
static Value roundChange(LocBuilder &builder, SGDOp op, Value change, Value step) {
  // The clamp also keeps the product that gives the change from fusing with this sum.
  change = clamp(builder, change, -std::ldexp(1.0, 30), std::ldexp(1.0, 30));
  bool isByte = storageOf(op).getElementType().isInteger(8);
  if (op.getRounding() == Rounding::stochastic && isByte)
    return math::FloorOp::create(builder, add(builder, change, getUniform(builder, op, step)));
  return math::RoundEvenOp::create(builder, change);
}

/// v of `tte.sgd`.
template <typename OpT>
static Value getChange(LocBuilder &builder, OpT op, Value rate, Value gradient) {
  float multiplier = op.getMultiplier().convertToFloat();
  if (multiplier != 1)
    rate = multiply(builder, rate, getConstant(builder, builder.getF32Type(), multiplier));
  return multiply(builder, arith::NegFOp::create(builder, rate), gradient);
}

/// Whether `step` plus `ahead` is divisible by `period`.
static Value isDivisible(LocBuilder &builder, Value step, uint32_t ahead, int64_t period) {
  Value sum = add(builder, step, getWord(builder, ahead));
  Value rest = arith::RemUIOp::create(builder, sum, getWord(builder, period));
  return isEqual(builder, rest, getWord(builder, 0));
}

/// `updated` in the last step of a period, else `old`.
static Value chooseInPeriod(LocBuilder &builder, int64_t period, Value step, Value updated,
                            Value old) {
  if (period == 1)
    return updated;
  return arith::SelectOp::create(builder, isDivisible(builder, step, 1, period), updated, old);
}

/// f' of `tte.sgd`, as i64, from a parameter, its residual and v.
static Value getFineUpdate(LocBuilder &builder, RankedTensorType type, int64_t bits,
                           Value parameter, Value residual, Value change) {
  double levels = std::ldexp(1.0, bits);
  Bounds bounds = getBounds(type, std::nullopt);
  Type i64 = builder.getI64Type(), f32 = builder.getF32Type();
  change = clamp(builder, change, -std::ldexp(1.0, 30), std::ldexp(1.0, 30));
  change = math::RoundEvenOp::create(builder,
                                     multiply(builder, change, getConstant(builder, f32, levels)));
  Value fine =
      multiply(builder, convert(builder, parameter, i64), getConstant(builder, i64, levels));
  fine = add(builder, fine, convert(builder, residual, i64));
  return clamp(builder, add(builder, fine, convert(builder, change, i64)), bounds.lower * levels,
               bounds.upper * levels);
}

/// floor((f' + 2^(bits-1)) / 2^bits)
static Value getHighBits(LocBuilder &builder, Value fine, int64_t bits) {
  Type i64 = builder.getI64Type();
  Value sum = add(builder, fine, getConstant(builder, i64, std::ldexp(1.0, bits - 1)));
  return arith::ShRSIOp::create(builder, sum, getConstant(builder, i64, bits));
}

static Value getUpdated(LocBuilder &builder, SGDOp op, ValueRange elements) {
  RankedTensorType stored = storageOf(op);
  Value change = getChange(builder, op, elements[2], elements[1]);
  if (!getQuantizedElement(op.getType()))
    return add(builder, elements[0], change);
  if (op.getRounding() == Rounding::residual) {
    Value fine = getFineUpdate(builder, typeOf(op.getParameter()), *op.getBits(), elements[0],
                               elements[4], change);
    return convert(builder, getHighBits(builder, fine, *op.getBits()), stored.getElementType());
  }
  Bounds bounds = getBounds(op.getType(), std::nullopt);
  Type i64 = builder.getI64Type();
  Value whole = convert(builder, roundChange(builder, op, change, elements[3]), i64);
  Value moved = add(builder, convert(builder, elements[0], i64), whole);
  return convert(builder, clamp(builder, moved, bounds.lower, bounds.upper),
                 stored.getElementType());
}

static Value lowerSGD(LocBuilder &builder, SGDOp op, SGDOp::Adaptor operands) {
  SmallVector<Operand> in{operands.getParameter(), operands.getGradient(),
                          operands.getLearningRate(), operands.getStep()};
  if (op.getResidual())
    in.push_back(operands.getResidual());
  return mapElements(builder, storageOf(op), in, [&](LocBuilder &inside, ValueRange elements) {
    Value updated = getUpdated(inside, op, elements);
    return chooseInPeriod(inside, op.getPeriod(), elements[3], updated, elements[0]);
  });
}

static Value lowerSGDResidual(LocBuilder &builder, SGDResidualOp op,
                              SGDResidualOp::Adaptor operands) {
  auto update = [&](LocBuilder &inside, ValueRange elements) {
    Value change = getChange(inside, op, elements[2], elements[1]);
    Value fine = getFineUpdate(inside, typeOf(op.getParameter()), op.getBits(), elements[0],
                               elements[4], change);
    Value high = multiply(inside, getHighBits(inside, fine, op.getBits()),
                          getConstant(inside, inside.getI64Type(), std::ldexp(1.0, op.getBits())));
    Value low = arith::SubIOp::create(inside, fine, high);
    return chooseInPeriod(inside, op.getPeriod(), elements[3],
                          convert(inside, low, inside.getI8Type()), elements[4]);
  };
  return mapElements(builder, typeOf(op),
                     {operands.getParameter(), operands.getGradient(), operands.getLearningRate(),
                      operands.getStep(), operands.getResidual()},
                     update);
}

static Value lowerMomentum(LocBuilder &builder, MomentumOp op, MomentumOp::Adaptor operands) {
  auto update = [&](LocBuilder &inside, ValueRange elements) {
    Value factor = getConstant(inside, inside.getF32Type(), op.getFactor().convertToFloat());
    Value updated = add(inside, multiply(inside, factor, elements[0]), elements[1]);
    return chooseInPeriod(inside, op.getPeriod(), elements[2], updated, elements[0]);
  };
  return mapElements(builder, typeOf(op),
                     {operands.getVelocity(), operands.getGradient(), operands.getStep()}, update);
}

static Value lowerAccumulate(LocBuilder &builder, AccumulateOp op, AccumulateOp::Adaptor operands) {
  auto update = [&](LocBuilder &inside, ValueRange elements) -> Value {
    Value share = multiply(inside, elements[1],
                           getConstant(inside, inside.getF32Type(), 1.0f / op.getBatch()));
    Value isFirst = isDivisible(inside, elements[2], 0, op.getBatch());
    return arith::SelectOp::create(inside, isFirst, share, add(inside, elements[0], share));
  };
  return mapElements(builder, typeOf(op),
                     {operands.getSum(), operands.getGradient(), operands.getStep()}, update);
}

//===----------------------------------------------------------------------===//
// Failure of a step
//===----------------------------------------------------------------------===//

/// Whether all elements of a tensor of f32 are finite.
static Value isFinite(LocBuilder &builder, Value tensor) {
  Type i32 = builder.getI32Type();
  auto scalar = RankedTensorType::get({}, i32);
  AffineMap toScalar = AffineMap::get(typeOf(tensor).getRank(), 0, builder.getContext());
  auto check = [&](LocBuilder &inside, ValueRange elements) -> Value {
    double infinity = std::numeric_limits<double>::infinity();
    Value finite = isInside(inside, elements[0], -infinity, infinity);
    Value zero = getConstant(inside, i32, 0);
    return arith::SelectOp::create(inside, finite, elements[1], zero);
  };
  Value all = reduce(builder, scalar, getNumber(i32, 1), toScalar, {tensor}, check);
  Value element = tensor::ExtractOp::create(builder, all, ValueRange());
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, element,
                               getConstant(builder, i32, 0));
}

namespace {
struct CheckFiniteLowering : OpConversionPattern<CheckFiniteOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(CheckFiniteOp op, OpAdaptor operands,
                                ConversionPatternRewriter &rewriter) const override {
    LocBuilder builder(op.getLoc(), rewriter);
    for (Value value : operands.getValues())
      cf::AssertOp::create(builder, isFinite(builder, value),
                           builder.getStringAttr("the step met a value that is not finite"));
    rewriter.replaceOp(op, operands.getValues());
    return success();
  }
};
} // namespace

void structured::populateUpdatePatterns(RewritePatternSet &patterns, const TypeConverter &types) {
  addLowerings(patterns, types, lowerScaleGradient, lowerSGD, lowerSGDResidual, lowerMomentum,
               lowerAccumulate);
  patterns.add<CheckFiniteLowering>(types, patterns.getContext());
}
