// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Rescale.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace tte;

FixedPoint tte::getFixedPoint(double value) {
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

Rescale::Rescale(KernelEmitter &kernel, ArrayRef<double> factors, int64_t zeroPoint, Bounds bounds,
                 bool isHot)
    : kernel(kernel), bounds(bounds), zeroPoint(zeroPoint), perChannel(factors.size() > 1) {
  SmallVector<FixedPoint> points = llvm::map_to_vector(factors, getFixedPoint);
  highWordSuffices = llvm::all_of(points, [](FixedPoint point) { return point.shift >= 33; });
  foldsZeroPoint =
      highWordSuffices && llvm::all_of(points, [](FixedPoint point) { return point.shift <= 54; });
  hasWords = isHot && highWordSuffices && kernel.target.dsp;
  addTables(points);
}

void Rescale::addTables(ArrayRef<FixedPoint> points) {
  SmallVector<int32_t> words;
  SmallVector<int8_t> bytes;
  for (FixedPoint point : points) {
    int32_t shift = point.shift - 33;
    words.push_back(point.multiplier);
    if (hasWords) {
      words.push_back(getUnit() * (1 << shift));
      words.push_back(saturates() ? shift : shift + 1);
    } else if (kernel.target.dsp) {
      for (int bit = 0; bit < 32; bit += 8)
        bytes.push_back(int8_t(uint32_t(point.multiplier) >> bit));
      bytes.push_back(shift);
    } else {
      bytes.push_back(shift);
    }
  }
  if (kernel.target.dsp) {
    records = hasWords ? kernel.addTable(words) : kernel.addTable(bytes);
  } else {
    multipliers = kernel.addTable(words);
    shifts = kernel.addTable(bytes);
  }
}

bool Rescale::saturates() const {
  return kernel.target.dsp && bounds.lower == -128 && bounds.upper == 127 &&
         (foldsZeroPoint || !zeroPoint);
}

SmallVector<Value> Rescale::loadFactors(Index channel, int64_t lanes) {
  Index entry = perChannel ? channel : Index(0);
  if (hasWords) {
    SmallVector<Value> factors;
    for (int64_t word = 0; word < 3; ++word)
      factors.push_back(kernel.loadTable(records, kernel.mul(entry, 3) + word));
    return factors;
  }
  if (kernel.target.dsp) {
    Index record = kernel.mul(entry, getRecordBytes()) + records.offset;
    return getFactors(kernel.loadPacked(records.buffer, record, 32),
                      kernel.load(records.buffer, record + 4));
  }
  auto load = [&](Table table) {
    if (perChannel)
      return kernel.loadTable(table, entry, lanes);
    return kernel.splat(kernel.loadTable(table, entry), lanes);
  };
  Value multiplier = load(multipliers);
  return getFactors(multiplier, load(shifts));
}

SmallVector<Value> Rescale::loadRecord(DSPBuilder &pointers, Value pointer, int64_t offset) {
  if (hasWords) {
    auto [multiplier, rounding] = pointers.loadWords(pointer, offset);
    return {multiplier, rounding, pointers.loadWord(pointer, offset + 8)};
  }
  Value multiplier = pointers.loadUnalignedWord(pointer, offset);
  return getFactors(multiplier, pointers.loadByte(pointer, offset + 4));
}

/// Multiplier, rounding constant (where the high word suffices) and shift, for `apply`.
SmallVector<Value> Rescale::getFactors(Value multiplier, Value shift) {
  OpBuilder &builder = kernel.builder;
  int64_t lanes = getLanes(shift);
  if (!highWordSuffices)
    return {multiplier, shift};
  // The zero point times 2^s and 2^(s - 1), where s = shift + 1.
  Value rounding = arith::ShLIOp::create(builder, kernel.loc, kernel.i32(getUnit(), lanes), shift);
  if (!saturates())
    shift = arith::AddIOp::create(builder, kernel.loc, shift, kernel.i32(1, lanes));
  return {multiplier, rounding, shift};
}

Value Rescale::apply(Value accumulator, ArrayRef<Value> factors) {
  return highWordSuffices ? applyHigh(accumulator, factors) : applyWide(accumulator, factors);
}

// acc * m = high * 2^32 + low with 0 <= low < 2^32. For shift >= 33 the rounding constant is a
// multiple of 2^32, so low never decides: (acc * m + 2^(shift-1)) >> shift is exactly
// (high + 2^(shift-33)) >> (shift - 32).
Value Rescale::applyHigh(Value accumulator, ArrayRef<Value> factors) {
  OpBuilder &builder = kernel.builder;
  int64_t lanes = getLanes(accumulator);
  Value high =
      arith::MulSIExtendedOp::create(builder, kernel.loc, accumulator, factors[0]).getHigh();
  Value rounded = arith::AddIOp::create(builder, kernel.loc, high, factors[1]);
  Value result = arith::ShRSIOp::create(builder, kernel.loc, rounded, factors[2]);
  if (saturates()) {
    result = arith::ShRSIOp::create(builder, kernel.loc, result, kernel.i32(1));
    return kernel.armIntrinsic("ssat", {result, kernel.i32(8)});
  }
  if (zeroPoint && !foldsZeroPoint)
    result = arith::AddIOp::create(builder, kernel.loc, result, kernel.i32(zeroPoint, lanes));
  return kernel.clamp(result, bounds.lower, bounds.upper);
}

Value Rescale::applyWide(Value accumulator, ArrayRef<Value> factors) {
  OpBuilder &builder = kernel.builder;
  Location loc = kernel.loc;
  int64_t lanes = getLanes(accumulator);
  Type wide = kernel.laneType(builder.getI64Type(), lanes);
  auto extend = [&](Value value) { return arith::ExtSIOp::create(builder, loc, wide, value); };
  Value shift = extend(factors[1]);
  shift = arith::AddIOp::create(builder, loc, shift, extend(kernel.i32(33, lanes)));
  Value product = arith::MulIOp::create(builder, loc, extend(accumulator), extend(factors[0]));
  Value one = extend(kernel.i32(1, lanes));
  Value half =
      arith::ShLIOp::create(builder, loc, one, arith::SubIOp::create(builder, loc, shift, one));
  Value rounded = arith::AddIOp::create(builder, loc, product, half);
  Value result = arith::ShRSIOp::create(builder, loc, rounded, shift);
  result = arith::AddIOp::create(builder, loc, result, extend(kernel.i32(zeroPoint, lanes)));
  // Bounded before it is narrowed: the result need not fit in 32 bits.
  result = arith::MaxSIOp::create(builder, loc, result, extend(kernel.i32(*bounds.lower, lanes)));
  result = arith::MinSIOp::create(builder, loc, result, extend(kernel.i32(*bounds.upper, lanes)));
  return arith::TruncIOp::create(builder, loc, kernel.laneType(builder.getI32Type(), lanes),
                                 result);
}
