// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Elementwise.h"
#include "Rescale.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "tte/Passes/Origin.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace tte;
using quant::QuantizedType;

bool tte::isElementwise(Operation *op) {
  return isa<AddOp, ClampOp, QuantizeOp, DequantizeOp, ClampGradOp, ApplyMaskOp, ScaleGradientOp,
             AccumulateOp, MomentumOp, SGDOp, SGDResidualOp, MeanSquaredErrorGradOp>(op);
}

Bounds tte::getBounds(Type type, std::optional<ClampAttr> clamp) {
  Bounds bounds;
  if (clamp && std::isfinite(clamp->getMin()))
    bounds.lower = clamp->getMin();
  if (clamp && std::isfinite(clamp->getMax()))
    bounds.upper = clamp->getMax();
  if (QuantizedType element = getQuantizedElement(type)) {
    double lower = element.getStorageTypeMin(), upper = element.getStorageTypeMax();
    bounds.lower = bounds.lower ? std::max(*bounds.lower, lower) : lower;
    bounds.upper = bounds.upper ? std::min(*bounds.upper, upper) : upper;
  }
  return bounds;
}

namespace tte {

/// Emits one elementwise op at one position.
class ElementEmitter {
public:
  ElementEmitter(KernelEmitter &kernel, const Position &position,
                 function_ref<Value(Value)> elementOf)
      : kernel(kernel), builder(kernel.builder), loc(kernel.loc), position(position),
        lanes(position.lanes), elementOf(elementOf) {}

  Value emit(AddOp op);
  Value emit(ClampOp op);
  Value emit(QuantizeOp op);
  Value emit(DequantizeOp op);
  Value emit(ClampGradOp op);
  Value emit(ApplyMaskOp op);
  Value emit(ScaleGradientOp op);
  Value emit(AccumulateOp op);
  Value emit(MomentumOp op);
  Value emit(SGDOp op);
  Value emit(SGDResidualOp op);
  Value emit(MeanSquaredErrorGradOp op);

private:
  /// Values that are the same at every position, emitted on entry to the kernel.
  ArrayRef<Value> invariantsOf(Operation *op, function_ref<SmallVector<Value>()> make) {
    auto [entry, isNew] = kernel.invariants.try_emplace(op);
    if (isNew)
      kernel.invariants[op] = make();
    return kernel.invariants[op];
  }
  Value splat(Value scalar) { return kernel.splat(scalar, lanes); }
  Value addInteger(Value lhs, Value rhs) { return arith::AddIOp::create(builder, loc, lhs, rhs); }
  Value mulInteger(Value lhs, Value rhs) { return arith::MulIOp::create(builder, loc, lhs, rhs); }
  Value mulFloat(Value lhs, Value rhs) { return arith::MulFOp::create(builder, loc, lhs, rhs); }
  Value xorShifted(Value value, int64_t shift);
  Value mix(Value value);
  Value shiftRight(Value value, int64_t shift);
  /// f32(scale^power) of the channels of this position.
  Value loadScales(Operation *op, QuantizedType type, int64_t power);
  Value loadInverseScales(ScaleGradientOp op);
  Value emitRandomBits(SGDOp op);
  Value emitParameterIndex(SGDOp op);
  Value emitPermutedIndex(SGDOp op);
  Value emitChannelBit(Value mask, int64_t channels);
  Value emitMaskBits(Value mask);
  Index divideByEight(Index index);
  Value toWord(Index index);
  Value countLanes(Value first);
  /// v of `tte.sgd`, rounded by itself where a sum follows.
  template <typename OpT> Value emitChange(OpT op, bool isSummed = false);
  template <typename OpT> Value emitFineUpdate(OpT op);
  Value addSaturated(Value parameter, Value change);
  Value emitNarrowUpdate(SGDOp op, Value parameter, Value delta);
  Value emitWideUpdate(SGDOp op, Value parameter, Value delta);

  KernelEmitter &kernel;
  OpBuilder &builder;
  Location loc;
  const Position &position;
  int64_t lanes;
  function_ref<Value(Value)> elementOf;
};

} // namespace tte

Value tte::emitElementwise(Operation *op, KernelEmitter &kernel, const Position &position,
                           function_ref<Value(Value)> elementOf) {
  ElementEmitter emitter(kernel, position, elementOf);
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<AddOp, ClampOp, QuantizeOp, DequantizeOp, ClampGradOp, ApplyMaskOp, ScaleGradientOp,
            AccumulateOp, MomentumOp, SGDOp, SGDResidualOp, MeanSquaredErrorGradOp>(
          [&](auto op) { return emitter.emit(op); });
}

//===----------------------------------------------------------------------===//
// Sums and clamps
//===----------------------------------------------------------------------===//

/// The fixed-point factors of a quantized sum: a common shift, multipliers of at most 2^21.
static std::pair<std::array<int32_t, 2>, int32_t> getSumFactors(double lhs, double rhs) {
  double largest = std::max(lhs, rhs);
  int32_t shift = 30;
  while (shift > 1 && std::llround(std::ldexp(largest, shift)) > 1 << 21)
    --shift;
  return {{int32_t(std::llround(std::ldexp(lhs, shift))),
           int32_t(std::llround(std::ldexp(rhs, shift)))},
          shift};
}

Value ElementEmitter::emit(AddOp op) {
  Value lhs = elementOf(op.getLhs()), rhs = elementOf(op.getRhs());
  Bounds bounds = getBounds(op.getType(), op.getClamp());
  QuantizedType result = getQuantizedElement(op.getType());
  if (!result)
    return kernel.clamp(arith::AddFOp::create(builder, loc, lhs, rhs), bounds.lower, bounds.upper);

  QuantizedType types[] = {getQuantizedElement(op.getLhs().getType()),
                           getQuantizedElement(op.getRhs().getType())};
  ArrayRef<Value> factors = invariantsOf(op, [&]() -> SmallVector<Value> {
    double scale = getScale(result, 0);
    auto [multipliers, shift] =
        getSumFactors(getScale(types[0], 0) / scale, getScale(types[1], 0) / scale);
    int32_t constant = 1 << (shift - 1);
    for (auto [type, multiplier] : llvm::zip(types, multipliers))
      constant -= int32_t(getZeroPoint(type)) * multiplier;
    return {kernel.addTableScalar(multipliers[0]), kernel.addTableScalar(multipliers[1]),
            kernel.addTableScalar(constant), kernel.addTableScalar(shift)};
  });
  Value sum = addInteger(mulInteger(lhs, splat(factors[0])), splat(factors[2]));
  sum = addInteger(mulInteger(rhs, splat(factors[1])), sum);
  sum = arith::ShRSIOp::create(builder, loc, sum, splat(factors[3]));
  sum = addInteger(sum, kernel.i32(getZeroPoint(op.getType()), lanes));
  return kernel.clamp(sum, bounds.lower, bounds.upper);
}

Value ElementEmitter::emit(ClampOp op) {
  Bounds bounds = getBounds(op.getType(), op.getRange());
  return kernel.clamp(elementOf(op.getInput()), bounds.lower, bounds.upper);
}

//===----------------------------------------------------------------------===//
// Between f32 and the grid
//===----------------------------------------------------------------------===//

Value ElementEmitter::loadScales(Operation *op, QuantizedType type, int64_t power) {
  SmallVector<double> storage;
  SmallVector<float> scales = llvm::map_to_vector(
      getScales(type, storage), [&](double scale) { return float(std::pow(scale, power)); });
  if (scales.size() == 1)
    return splat(invariantsOf(op, [&]() -> SmallVector<Value> {
                   return {kernel.addTableScalar(scales.front())};
                 }).front());
  auto [table, isNew] = kernel.tables.try_emplace(op);
  if (isNew)
    table->second = kernel.addTable(scales);
  return kernel.loadTable(table->second, position.channel, lanes);
}

/// f32(1 / scale) for the gradient of a bias, from the scales of the weight where these are in
/// flash: a byte a channel instead of four.
Value ElementEmitter::loadInverseScales(ScaleGradientOp op) {
  QuantizedType type = getQuantizedElement(op.getGrid());
  auto known = kernel.derivedScales.find(op);
  if (known == kernel.derivedScales.end()) {
    SmallVector<double> storage;
    std::optional<DerivedScales> derived = kernel.scaleTables.derive(llvm::map_to_vector(
        getScales(type, storage), [](double scale) { return float(std::pow(scale, -1)); }));
    if (!derived)
      return loadScales(op, type, -1);
    SmallVector<int8_t> bytes;
    for (int bit = 0; bit < 32; bit += 8)
      bytes.push_back(int8_t(llvm::bit_cast<uint32_t>(derived->factor) >> bit));
    llvm::append_range(bytes, derived->steps);
    Table base = kernel.addTable(ArrayRef<float>(derived->base));
    Table steps = kernel.addTable(ArrayRef<int8_t>(bytes));
    Value factor = kernel.onEntry([&]() -> Value {
      Value bits = kernel.loadPacked(steps.buffer, steps.offset, 32);
      return arith::BitcastOp::create(builder, loc, builder.getF32Type(), bits);
    });
    steps.offset += sizeof(float);
    known = kernel.derivedScales.try_emplace(op, KernelEmitter::Derived{base, steps, factor}).first;
  }
  auto [base, steps, factor] = known->second;
  Value quotient = arith::DivFOp::create(builder, loc, splat(factor),
                                         kernel.loadTable(base, position.channel, lanes));
  Value bits = arith::BitcastOp::create(builder, loc, kernel.laneType(builder.getI32Type(), lanes),
                                        quotient);
  bits = addInteger(bits, kernel.loadTable(steps, position.channel, lanes));
  return arith::BitcastOp::create(builder, loc, quotient.getType(), bits);
}

Value ElementEmitter::emit(QuantizeOp op) {
  QuantizedType type = getQuantizedElement(op.getType());
  Value scaled =
      arith::DivFOp::create(builder, loc, elementOf(op.getInput()), loadScales(op, type, 1));
  // Clamped as f32 first: the conversion to integers is undefined out of range.
  int64_t zeroPoint = getZeroPoint(op.getType());
  double lower = type.getStorageTypeMin() - zeroPoint, upper = type.getStorageTypeMax() - zeroPoint;
  Value rounded = kernel.toInteger(kernel.clamp(kernel.roundHalfEven(scaled), lower, upper));
  Value shifted = addInteger(rounded, kernel.i32(zeroPoint, lanes));
  // Bounds of i32 are not f32 numbers: clamp the integers as well.
  return kernel.clamp(shifted, type.getStorageTypeMin(), type.getStorageTypeMax());
}

Value ElementEmitter::emit(DequantizeOp op) {
  QuantizedType type = getQuantizedElement(op.getInput().getType());
  Value stored = elementOf(op.getInput());
  if (int64_t zeroPoint = getZeroPoint(op.getInput().getType()))
    stored = addInteger(stored, kernel.i32(-zeroPoint, lanes));
  return mulFloat(kernel.toFloat(stored), loadScales(op, type, 1));
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

Value tte::emitInside(KernelEmitter &kernel, Value value, Type tensor, ClampAttr range) {
  OpBuilder &builder = kernel.builder;
  int64_t lanes = getLanes(value);
  Value inside;
  auto both = [&](Value condition) {
    inside =
        inside ? Value(arith::AndIOp::create(builder, kernel.loc, inside, condition)) : condition;
  };
  bool isQuantized = bool(getQuantizedElement(tensor));
  auto compare = [&](double bound, bool isLower) {
    if (!std::isfinite(bound))
      return;
    if (isQuantized) {
      auto predicate = isLower ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::slt;
      Value limit = kernel.i32(isLower ? std::floor(bound) : std::ceil(bound), lanes);
      both(arith::CmpIOp::create(builder, kernel.loc, predicate, value, limit));
    } else {
      auto predicate = isLower ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
      both(arith::CmpFOp::create(builder, kernel.loc, predicate, value, kernel.f32(bound, lanes)));
    }
  };
  compare(range.getMin(), true);
  compare(range.getMax(), false);
  return inside;
}

Value ElementEmitter::emit(ClampGradOp op) {
  Value gradient = elementOf(op.getGradient());
  Value inside =
      emitInside(kernel, elementOf(op.getOutput()), op.getOutput().getType(), op.getRange());
  if (!inside)
    return gradient;
  return arith::SelectOp::create(builder, loc, inside, gradient, kernel.f32(0, lanes));
}

Value ElementEmitter::emit(ApplyMaskOp op) {
  Value gradient = elementOf(op.getGradient());
  int64_t channels = cast<RankedTensorType>(op.getType()).getShape().back();
  Value bits = lanes == 1 && channels % 8 == 0 ? emitChannelBit(op.getMask(), channels)
                                               : emitMaskBits(op.getMask());
  Value inside =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, bits, kernel.i32(0, lanes));
  return arith::SelectOp::create(builder, loc, inside, gradient, kernel.f32(0, lanes));
}

/// Zero where the bit of the element is. A channel has the same bit of bytes that lie channels / 8
/// apart: which one is found once for many pixels.
Value ElementEmitter::emitChannelBit(Value mask, int64_t channels) {
  Index pixel = kernel.sub(position.linear, position.channel);
  Index byte = kernel.add(divideByEight(Index(pixel.base)), pixel.offset / 8);
  byte = kernel.add(byte, divideByEight(position.channel));
  Value bit = arith::AndIOp::create(builder, loc, toWord(position.channel), kernel.i32(7));
  bit = arith::ShLIOp::create(builder, loc, kernel.i32(1), bit);
  return arith::AndIOp::create(builder, loc, kernel.load(kernel.bufferOf(mask), byte), bit);
}

/// The bits of up to eight elements, which lie in two bytes at most; other bits are zero.
Value ElementEmitter::emitMaskBits(Value mask) {
  Value bytes = kernel.bufferOf(mask);
  Value word = kernel.loadPacked(bytes, divideByEight(position.linear), 8);
  if (lanes > 1) {
    Value next = kernel.loadPacked(bytes, divideByEight(position.linear + (lanes - 1)), 8);
    next = arith::ShLIOp::create(builder, loc, next, kernel.i32(8));
    word = arith::OrIOp::create(builder, loc, word, next);
  }
  Value first = arith::AndIOp::create(builder, loc, toWord(position.linear), kernel.i32(7));
  word = splat(arith::ShRUIOp::create(builder, loc, word, first));
  Value own = kernel.i32(1);
  if (lanes > 1) {
    auto places = llvm::map_to_vector(llvm::seq<int32_t>(0, lanes),
                                      [](int32_t lane) { return int32_t(1) << lane; });
    auto type = cast<VectorType>(kernel.laneType(builder.getI32Type(), lanes));
    own = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, ArrayRef(places)));
  }
  return arith::AndIOp::create(builder, loc, word, own);
}

Index ElementEmitter::divideByEight(Index index) {
  if (index.isConstant())
    return index.offset / 8;
  Value three = kernel.materialize(3);
  return Index(arith::ShRUIOp::create(builder, loc, kernel.materialize(index), three));
}

Value ElementEmitter::emit(MeanSquaredErrorGradOp op) {
  Value difference =
      arith::SubFOp::create(builder, loc, elementOf(op.getPrediction()), elementOf(op.getTarget()));
  float count = cast<RankedTensorType>(op.getType()).getNumElements();
  return arith::DivFOp::create(builder, loc, mulFloat(difference, kernel.f32(2, lanes)),
                               kernel.f32(count, lanes));
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

Value ElementEmitter::emit(ScaleGradientOp op) {
  Value gradient = elementOf(op.getGradient());
  if (op.getPower() == 0)
    return gradient;
  bool isOfBias = cast<RankedTensorType>(op.getType()).getRank() == 1;
  if (isOfBias && op.getPower() == -1)
    return mulFloat(gradient, loadInverseScales(op));
  return mulFloat(gradient, loadScales(op, getQuantizedElement(op.getGrid()), op.getPower()));
}

Value ElementEmitter::shiftRight(Value value, int64_t shift) {
  return arith::ShRUIOp::create(builder, loc, value, kernel.i32(shift, getLanes(value)));
}

Value ElementEmitter::xorShifted(Value value, int64_t shift) {
  return arith::XOrIOp::create(builder, loc, value, shiftRight(value, shift));
}

/// lowbias32 (see `tte.sgd`).
Value ElementEmitter::mix(Value value) {
  int64_t width = getLanes(value);
  value = mulInteger(xorShifted(value, 16), kernel.i32(0x7feb352d, width));
  value = mulInteger(xorShifted(value, 15), kernel.i32(0x846ca68b, width));
  return xorShifted(value, 16);
}

/// The row-major index of each element in the full parameter, counted from the slice's first.
Value ElementEmitter::emitParameterIndex(SGDOp op) {
  if (op->hasAttr("tte.places"))
    return emitPermutedIndex(op);
  Index index = position.linear;
  if (std::optional<OriginAttr> origin = op.getOrigin())
    index = kernel.linearize(position.indices, origin->getShape());
  return countLanes(toWord(index));
}

/// The same where the full parameter had its channels in another order, from a table of places.
Value ElementEmitter::emitPermutedIndex(SGDOp op) {
  auto [table, isNew] = kernel.tables.try_emplace(op);
  unsigned rank = position.indices.size();
  if (isNew) {
    SmallVector<int32_t> places;
    for (unsigned d = 0; d < rank; ++d)
      llvm::append_range(places, getPlaces(op, d));
    table->second = kernel.addTable(ArrayRef(places));
  }
  Table places = table->second;
  Value index;
  for (unsigned d = 0; d < rank; ++d) {
    bool isLast = d == rank - 1;
    int64_t count = getPlaces(op, d).size();
    Value place;
    if (count)
      place = kernel.loadTable(places, position.indices[d], isLast ? lanes : 1);
    else
      place = toWord(position.indices[d] + (isLast ? 0 : op.getOrigin()->getOffsets()[d]));
    if (!count && isLast)
      place = countLanes(place);
    places.offset += count;
    if (index) {
      index = mulInteger(index, kernel.i32(op.getOrigin()->getShape()[d]));
      place = addInteger(isLast ? splat(index) : index, place);
    }
    index = place;
  }
  return index;
}

/// An index as a word that wraps.
Value ElementEmitter::toWord(Index index) {
  return arith::IndexCastOp::create(builder, loc, builder.getI32Type(), kernel.materialize(index));
}

/// `first`, `first` + 1, ... for the lanes.
Value ElementEmitter::countLanes(Value first) {
  if (lanes == 1)
    return first;
  auto type = cast<VectorType>(kernel.laneType(builder.getI32Type(), lanes));
  SmallVector<int32_t> steps = llvm::to_vector(llvm::seq<int32_t>(0, lanes));
  Value lane =
      arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, ArrayRef(steps)));
  return addInteger(splat(first), lane);
}

/// What is left out of the indices of a slice in the full parameter.
static int64_t getFirstIndex(SGDOp op) {
  OriginAttr origin = *op.getOrigin();
  unsigned last = origin.getShape().size() - 1;
  if (op->hasAttr("tte.places"))
    return getPlaces(op, last).empty() ? origin.getOffsets()[last] : 0;
  int64_t index = 0;
  for (auto [offset, extent] : llvm::zip_equal(origin.getOffsets(), origin.getShape()))
    index = index * extent + offset;
  return index;
}

/// The 24 random bits of `tte.sgd`, as f32.
Value ElementEmitter::emitRandomBits(SGDOp op) {
  ArrayRef<Value> invariants = invariantsOf(op, [&]() -> SmallVector<Value> {
    Value step = kernel.loadScalar(op.getStep());
    Value stream = kernel.addTableScalar(int32_t(op.getStream()));
    // From a table, so that it stays in a register instead of being folded into every index.
    constexpr uint32_t golden = 0x9e3779b9;
    Value increment = kernel.addTableScalar(int32_t(golden));
    // In a table as well: slices of one shape share their code wherever they lie.
    Value first;
    if (op.getOrigin())
      first = kernel.addTableScalar(int32_t(uint32_t(getFirstIndex(op)) * golden));
    return {increment, kernel.onEntry([&]() -> Value {
              Value key = mix(addInteger(mulInteger(step, kernel.i32(0x85ebca6b)), stream));
              return first ? addInteger(key, first) : key;
            })};
  });
  Value increment = splat(invariants[0]), key = splat(invariants[1]);
  Value counter = addInteger(mulInteger(emitParameterIndex(op), increment), key);
  return kernel.toFloat(shiftRight(mix(counter), 8));
}

static int64_t getResidualBits(SGDOp op) { return *op.getBits(); }
static int64_t getResidualBits(SGDResidualOp op) { return op.getBits(); }

/// The sum of an integer and an f32 without a fraction within [-127, 127], in saturating integer
/// instructions: what does not fit into 32 bits is far out of range.
Value ElementEmitter::addSaturated(Value parameter, Value change) {
  auto name = builder.getStringAttr("llvm.fptosi.sat.i32.f32");
  Value whole =
      LLVM::CallIntrinsicOp::create(builder, loc, builder.getI32Type(), name, change).getResults();
  Value sum = kernel.armIntrinsic("qadd", {parameter, whole});
  sum = kernel.armIntrinsic("ssat", {sum, kernel.i32(8)});
  // -128 becomes -127: one less saturates, one more does not.
  Value one = kernel.i32(1);
  return kernel.armIntrinsic("qadd8", {kernel.armIntrinsic("qsub8", {sum, one}), one});
}

/// The stored sum of a parameter of 8 bits and an update, by the grid's bounds. Saturating in f32
/// is exact: what does not fit in 24 bits is far out of range.
Value ElementEmitter::emitNarrowUpdate(SGDOp op, Value parameter, Value delta) {
  Value rounded;
  if (op.getRounding() == Rounding::stochastic)
    // floor(delta + u): the product is exact, the sum rounds once.
    rounded = math::FloorOp::create(
        builder, loc, kernel.multiplyAdd(emitRandomBits(op), kernel.f32(0x1p-24f, lanes), delta));
  else
    rounded = kernel.roundHalfEven(delta);
  QuantizedType type = getQuantizedElement(op.getType());
  bool isSymmetric = type.getStorageTypeMin() == -127 && type.getStorageTypeMax() == 127;
  if (kernel.target.dsp && lanes == 1 && isSymmetric)
    return addSaturated(parameter, rounded);
  Value sum = arith::AddFOp::create(builder, loc, kernel.toFloat(parameter), rounded);
  return kernel.toInteger(kernel.clamp(sum, type.getStorageTypeMin(), type.getStorageTypeMax()));
}

/// The same for i32, rounded to nearest: |delta| <= 2^30, hence the sum needs one more bit.
Value ElementEmitter::emitWideUpdate(SGDOp op, Value parameter, Value delta) {
  QuantizedType type = getQuantizedElement(op.getType());
  Type wide = kernel.laneType(builder.getI64Type(), lanes);
  auto extend = [&](Value value) -> Value {
    return arith::ExtSIOp::create(builder, loc, wide, value);
  };
  Value rounded = kernel.toInteger(kernel.roundHalfEven(kernel.clamp(delta, -0x1p30, 0x1p30)));
  Value sum = addInteger(extend(parameter), extend(rounded));
  Value lower = kernel.i32(type.getStorageTypeMin(), lanes);
  Value upper = kernel.i32(type.getStorageTypeMax(), lanes);
  sum = arith::MaxSIOp::create(builder, loc, sum, extend(lower));
  sum = arith::MinSIOp::create(builder, loc, sum, extend(upper));
  return arith::TruncIOp::create(builder, loc, parameter.getType(), sum);
}

template <typename OpT> Value ElementEmitter::emitChange(OpT op, bool isSummed) {
  Value descent = arith::NegFOp::create(builder, loc, kernel.loadScalar(op.getLearningRate()));
  if (float multiplier = op.getMultiplier().convertToFloat(); multiplier != 1)
    descent = mulFloat(descent, kernel.f32(multiplier));
  Value gradient = elementOf(op.getGradient()), factor = splat(descent);
  return isSummed ? kernel.roundedProduct(factor, gradient) : mulFloat(factor, gradient);
}

Value ElementEmitter::emit(SGDOp op) {
  QuantizedType type = getQuantizedElement(op.getType());
  if (op.getRounding() == Rounding::residual) {
    // (fine + 2^(bits-1)) >> bits
    Value half = kernel.i32(1 << (*op.getBits() - 1), lanes);
    return arith::ShRSIOp::create(builder, loc, addInteger(emitFineUpdate(op), half),
                                  kernel.i32(*op.getBits(), lanes));
  }
  Value parameter = elementOf(op.getParameter());
  if (!type)
    return arith::AddFOp::create(builder, loc, parameter, emitChange(op, /*isSummed=*/true));
  Value delta = emitChange(op);
  if (type.getStorageTypeIntegralWidth() == 32)
    return emitWideUpdate(op, parameter, delta);
  return emitNarrowUpdate(op, parameter, delta);
}

/// The parameter on its finer grid after the step (f' of `tte.sgd`). Saturating in f32 is exact,
/// as in `emitNarrowUpdate`. The two ops that need it emit it twice: code generators see that.
template <typename OpT> Value ElementEmitter::emitFineUpdate(OpT op) {
  QuantizedType type = getQuantizedElement(op.getParameter().getType());
  int64_t bits = getResidualBits(op);
  float levels = 1 << bits;
  Value parameter = elementOf(op.getParameter()), residual = elementOf(op.getResidual());
  Value fine = addInteger(mulInteger(parameter, kernel.i32(1 << bits, lanes)), residual);
  Value change = kernel.roundHalfEven(mulFloat(emitChange(op), kernel.f32(levels, lanes)));
  Value sum = arith::AddFOp::create(builder, loc, kernel.toFloat(fine), change);
  return kernel.toInteger(
      kernel.clamp(sum, type.getStorageTypeMin() * levels, type.getStorageTypeMax() * levels));
}

/// f' sign-extended from its `bits` low bits.
Value ElementEmitter::emit(SGDResidualOp op) {
  Value unused = kernel.i32(32 - op.getBits(), lanes);
  Value high = arith::ShLIOp::create(builder, loc, emitFineUpdate(op), unused);
  return arith::ShRSIOp::create(builder, loc, high, unused);
}

Value ElementEmitter::emit(MomentumOp op) {
  Value factor = kernel.f32(op.getFactor().convertToFloat(), lanes);
  Value decayed = kernel.roundedProduct(factor, elementOf(op.getVelocity()));
  return arith::AddFOp::create(builder, loc, decayed, elementOf(op.getGradient()));
}

Value ElementEmitter::emit(AccumulateOp op) {
  // The old sum counts from the second step of a batch on.
  ArrayRef<Value> isFirst = invariantsOf(op, [&]() -> SmallVector<Value> {
    Value step = kernel.loadScalar(op.getStep());
    return {kernel.onEntry([&] {
      Value position = arith::RemUIOp::create(builder, loc, step, kernel.i32(op.getBatch()));
      return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, position, kernel.i32(0))
          .getResult();
    })};
  });
  Value share =
      kernel.roundedProduct(elementOf(op.getGradient()), kernel.f32(1.0f / op.getBatch(), lanes));
  Value sum = arith::AddFOp::create(builder, loc, elementOf(op.getSum()), share);
  return arith::SelectOp::create(builder, loc, isFirst.front(), share, sum);
}
