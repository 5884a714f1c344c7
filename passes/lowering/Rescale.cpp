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

Rescale::Rescale(KernelEmitter &kernel, ArrayRef<double> factors, int64_t zeroPoint, Bounds bounds)
    : kernel(kernel), bounds(bounds), zeroPoint(zeroPoint), perChannel(factors.size() > 1) {
  SmallVector<FixedPoint> points = llvm::map_to_vector(factors, getFixedPoint);
  highWordSuffices = llvm::all_of(points, [](FixedPoint point) { return point.shift >= 33; });
  SmallVector<SmallVector<int32_t>> columns;
  auto addColumn = [&](function_ref<int32_t(FixedPoint)> entry) {
    columns.push_back(llvm::map_to_vector(points, entry));
  };
  addColumn([](FixedPoint point) { return point.multiplier; });
  if (highWordSuffices) {
    // The zero point joins the rounding constant where it cannot overflow there.
    bool foldZeroPoint = llvm::all_of(points, [](FixedPoint point) { return point.shift <= 54; });
    addColumn([&](FixedPoint point) -> int32_t {
      int32_t shift = point.shift - 32;
      return (1 << (shift - 1)) + (foldZeroPoint ? int32_t(zeroPoint) * (1 << shift) : 0);
    });
    addColumn([](FixedPoint point) { return point.shift - 32; });
    if (foldZeroPoint)
      this->zeroPoint = 0;
  } else {
    addColumn([](FixedPoint point) { return point.shift; });
  }
  addTables(columns);
}

void Rescale::addTables(ArrayRef<SmallVector<int32_t>> columns) {
  if (kernel.target.vectorWidth > 1) {
    for (ArrayRef<int32_t> column : columns)
      factorTables.push_back(kernel.addTable(column));
    return;
  }
  SmallVector<int32_t> entries;
  for (size_t channel = 0; channel < columns.front().size(); ++channel)
    for (ArrayRef<int32_t> column : columns)
      entries.push_back(column[channel]);
  Table table = kernel.addTable(entries);
  factorStride = columns.size();
  for (size_t i = 0; i < columns.size(); ++i)
    factorTables.push_back({table.buffer, table.offset + int64_t(i)});
}

SmallVector<Value> Rescale::loadFactors(Index channel, int64_t lanes) {
  return llvm::map_to_vector(factorTables, [&](Table table) -> Value {
    if (perChannel)
      return kernel.loadTable(table, kernel.mul(channel, factorStride), lanes);
    return kernel.splat(kernel.loadTable(table, 0), lanes);
  });
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
  if (zeroPoint)
    result = arith::AddIOp::create(builder, kernel.loc, result, kernel.i32(zeroPoint, lanes));
  if (kernel.target.dsp && bounds.lower == -128 && bounds.upper == 127)
    return kernel.armIntrinsic("ssat", {result, kernel.i32(8)});
  return kernel.clamp(result, bounds.lower, bounds.upper);
}

Value Rescale::applyWide(Value accumulator, ArrayRef<Value> factors) {
  OpBuilder &builder = kernel.builder;
  Location loc = kernel.loc;
  int64_t lanes = getLanes(accumulator);
  Type wide = kernel.laneType(builder.getI64Type(), lanes);
  auto extend = [&](Value value) { return arith::ExtSIOp::create(builder, loc, wide, value); };
  Value shift = extend(factors[1]);
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
