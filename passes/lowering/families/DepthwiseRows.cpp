// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels of quantized depthwise convolutions.
#include "../RowKernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tte;

std::optional<DepthwiseRows> DepthwiseRows::get(const ConvShape &shape, int64_t zeroPoint) {
  const WindowParameters &columns = shape.columns, &window = shape.rows;
  bool isKnown = columns.dilation == 1 && window.dilation == 1 && columns.kernel % 2 == 1 &&
                 columns.kernel > 1 && columns.stride == window.stride && window.stride <= 2;
  if (!isKnown)
    return std::nullopt;
  DepthwiseRows rows(shape, zeroPoint);
  // A tile costs as much as its outputs and one more; those at stride 1 come in pairs.
  auto costOf = [&](int64_t width) {
    return llvm::divideCeil(columns.output, width) * (width + 1);
  };
  if (columns.stride == 2 && costOf(3) < costOf(4))
    rows.tileWidth = 3;
  // The whole plane where it is small, else bands that divide it.
  constexpr int64_t budget = 3072;
  for (int64_t count = window.output; count > 1; --count) {
    rows.bandRows = count;
    if (window.output % count == 0 && rows.getPlaneBytes() <= budget)
      return rows;
  }
  rows.bandRows = 1;
  return rows;
}

bool DepthwiseRows::isInPlace() const {
  const WindowParameters &window = shape.rows;
  int64_t columns = shape.columns.input;
  if (window.output * shape.columns.output > window.input * columns)
    return false;
  for (int64_t row = 0; row < window.output; ++row) {
    int64_t staged = std::min(row * window.stride - window.before + window.kernel, window.input);
    if ((row + 1) * shape.columns.output > staged * columns)
      return false;
  }
  return true;
}

namespace tte {

class DepthwiseRowsEmitter {
public:
  DepthwiseRowsEmitter(KernelBuilder &kernel, const DepthwiseRows &rows,
                       const DepthwiseRows::Operands &operands, RowResult &result,
                       const RowResult::Requantization &places)
      : kernel(kernel), builder(kernel.builder), loc(kernel.loc), pointers(kernel), rows(rows),
        shape(rows.shape), operands(operands), result(result), places(places),
        taps(shape.columns.kernel), stride(rows.getPlaneStride()) {}

  void emit();

private:
  void emitImage(Index image);
  void emitChannel(Value input, Value output, Value bias, Value record, Index channel);
  Value stageWeights(Index channel);
  Value stageWeights(Value weights, int64_t step);
  void clear(Value begin, int64_t bytes);
  void stageRow(Value source, Value row);
  void stageBand(Value input, Index band);
  Index getSurplus(Value tile, Value lastTile);
  void emitTile(Value plane, Value output, Value initial, Value record, Index surplus);
  SmallVector<Value> accumulateRow(SmallVector<Value> sums, Value plane, int64_t row);
  Value getWeights() { return pointers.pointerTo({operands.scratch, 0}); }
  Value getPlane() { return pointers.pointerTo({operands.scratch, rows.getWeightBytes()}); }
  bool hasOneBand() const { return rows.bandRows == shape.rows.output; }

  KernelBuilder &kernel;
  OpBuilder &builder;
  Location loc;
  DSPBuilder pointers;
  const DepthwiseRows &rows;
  const ConvShape &shape;
  const DepthwiseRows::Operands &operands;
  RowResult &result;
  const RowResult::Requantization &places;
  int64_t taps, stride;
};

} // namespace tte

namespace tte {

/// A row of the output at a time; the rows that it reads are staged as [row][column][channel].
class PortableDepthwiseRowsEmitter {
public:
  PortableDepthwiseRowsEmitter(KernelBuilder &kernel, const DepthwiseRows &rows,
                               const DepthwiseRows::Operands &operands, RowResult &result)
      : kernel(kernel), rows(rows), shape(rows.shape), operands(operands), result(result),
        columns(rows.getWindowColumns()) {}

  void emit() {
    int64_t lanes = std::min(kernel.target.vectorWidth, DepthwiseRows::maxLanes);
    kernel.loop(0, shape.batch, 1, [&](Index image) {
      for (const WeightPart &part : operands.weights)
        kernel.loopLanes(part.size, lanes, [&](Index first, int64_t lanes) {
          emitChannels(image, part, first, lanes);
        });
    });
  }

private:
  void emitChannels(Index image, const WeightPart &part, Index first, int64_t lanes);
  void emitPixels(Index column, int64_t count, Index line, const WeightPart &part, Index first,
                  int64_t lanes);
  Value loadInput(Index row, Index column, int64_t lanes) {
    return kernel.load(operands.scratch, windowElement(row, column, lanes), lanes);
  }
  Index windowElement(Index row, Index column, int64_t lanes) {
    return kernel.mul(kernel.add(kernel.mul(row, columns), column), lanes);
  }
  void copyRow(Index to, int64_t lanes, function_ref<Value(Index column)> element) {
    kernel.loop(0, shape.columns.input, 1, [&](Index column) {
      kernel.store(element(column), operands.scratch,
                   windowElement(to, column + shape.columns.before, lanes));
    });
  }

  KernelBuilder &kernel;
  const DepthwiseRows &rows;
  const ConvShape &shape;
  const DepthwiseRows::Operands &operands;
  RowResult &result;
  int64_t columns;
};

} // namespace tte

void PortableDepthwiseRowsEmitter::emitChannels(Index image, const WeightPart &part, Index first,
                                                int64_t lanes) {
  const WindowParameters &window = shape.rows;
  Index channel = first + part.begin;
  Value border = kernel.i32(rows.zeroPoint, lanes);
  kernel.loop(0, rows.getWindowElements(), 1, [&](Index element) {
    kernel.store(border, operands.scratch, kernel.mul(element, lanes));
  });
  // Row q of the window of output row r is row r * stride - before + q of the image.
  auto stageRow = [&](Index y, Index to) {
    Index line = kernel.mul(kernel.add(kernel.mul(image, window.input), y), shape.columns.input);
    // Rows above the image are large as unsigned numbers.
    Value isInside = arith::CmpIOp::create(kernel.builder, kernel.loc, arith::CmpIPredicate::ult,
                                           kernel.materialize(y), kernel.materialize(window.input));
    auto branch = scf::IfOp::create(kernel.builder, kernel.loc, isInside, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(kernel.builder);
    kernel.builder.setInsertionPointToStart(branch.thenBlock());
    copyRow(to, lanes, [&](Index column) {
      Index element = kernel.mul(kernel.add(line, column), shape.inputChannels);
      element = kernel.add(kernel.add(element, channel), operands.input.element);
      return kernel.load(operands.input.buffer, element, lanes);
    });
    kernel.builder.setInsertionPointToStart(branch.elseBlock());
    copyRow(to, lanes, [&](Index) { return border; });
  };
  int64_t kept = std::max<int64_t>(window.kernel - window.stride, 0);
  kernel.loop(window.before, kept, 1, [&](Index to) { stageRow(to + -window.before, to); });
  kernel.loop(0, window.output, 1, [&](Index row) {
    Index top = kernel.mul(row, window.stride) + -window.before;
    kernel.loop(kept, window.kernel, 1, [&](Index to) { stageRow(kernel.add(top, to), to); });
    Index line =
        kernel.mul(kernel.add(kernel.mul(image, window.output), row), shape.columns.output);
    kernel.loopTiles(shape.columns.output, rows.tileWidth, 1,
                     [&](Index column, int64_t count, int64_t) {
                       emitPixels(column, count, line, part, first, lanes);
                     });
    kernel.loop(0, kept, 1, [&](Index to) {
      copyRow(to, lanes, [&](Index column) {
        return loadInput(to + window.stride, column + shape.columns.before, lanes);
      });
    });
  });
}

void PortableDepthwiseRowsEmitter::emitPixels(Index column, int64_t count, Index line,
                                              const WeightPart &part, Index first, int64_t lanes) {
  Index channel = first + part.begin;
  SmallVector<Value> sums(count, result.getInitial(channel, lanes));
  Value offset = kernel.i32(-rows.zeroPoint, lanes);
  int64_t taps = shape.columns.kernel, stride = shape.columns.stride;
  auto multiplyRow = [&](Index row, ArrayRef<Value> carried) {
    SmallVector<Value> next(carried), x((count - 1) * stride + taps);
    Index begin = kernel.mul(column, stride);
    for (int64_t tap = 0; tap < taps; ++tap) {
      Index index = kernel.mul(kernel.mul(row, taps) + tap, part.size);
      Value weight = kernel.load(part.buffer, kernel.add(index, first), lanes);
      for (int64_t p = 0; p < count; ++p) {
        Value &input = x[p * stride + tap];
        if (!input) {
          input = loadInput(row, begin + (p * stride + tap), lanes);
          if (rows.zeroPoint)
            input = arith::AddIOp::create(kernel.builder, kernel.loc, input, offset);
        }
        next[p] = kernel.multiplyAdd(input, weight, next[p]);
      }
    }
    return next;
  };
  if (kernel.target.vectorWidth > 1)
    for (int64_t row = 0; row < shape.rows.kernel; ++row)
      sums = multiplyRow(row, sums);
  else
    sums = kernel.loop(0, shape.rows.kernel, 1, sums, multiplyRow);
  SmallVector<Value> factors = result.loadFactors(channel, lanes);
  for (int64_t p = 0; p < count; ++p) {
    Index pixel = kernel.mul(kernel.add(line, column) + p, shape.outputChannels);
    result.store(sums[p], factors, kernel.add(pixel, channel), channel);
  }
}

void DepthwiseRows::emit(KernelBuilder &kernel, const Operands &operands, RowResult &result) const {
  std::optional<RowResult::Requantization> places = result.getRequantization();
  if (kernel.target.dsp && places)
    DepthwiseRowsEmitter(kernel, *this, operands, result, *places).emit();
  else
    PortableDepthwiseRowsEmitter(kernel, *this, operands, result).emit();
}

void DepthwiseRowsEmitter::emit() {
  // Borders keep the zero point; what is inside is staged anew for each channel.
  clear(getPlane(), rows.getPlaneBytes());
  kernel.loop(0, shape.batch, 1, [&](Index image) { emitImage(image); });
}

void DepthwiseRowsEmitter::emitImage(Index image) {
  int64_t channels = shape.inputChannels;
  auto imageOf = [&](const Place &place, int64_t y, int64_t x) {
    return pointers.pointerTo(
        {place.buffer, kernel.add(place.element, kernel.mul(image, y * x * channels))});
  };
  Value input = imageOf(operands.input, shape.rows.input, shape.columns.input);
  Value output = imageOf(places.output, shape.rows.output, shape.columns.output);
  SmallVector<Value> carried{input, output};
  if (places.bias)
    carried.push_back(pointers.pointerTo(*places.bias));
  carried.push_back(kernel.materialize(0));
  int64_t step = places.recordBytes;
  pointers.loop(pointers.pointerTo(places.records), channels * step, step, carried,
                [&](Value record, ArrayRef<Value> carried) {
                  SmallVector<Value> next(carried);
                  emitChannel(carried[0], carried[1], places.bias ? carried[2] : Value(), record,
                              Index(carried.back()));
                  for (int64_t i : {0, 1})
                    next[i] = pointers.advance(carried[i], 1);
                  if (places.bias)
                    next[2] = pointers.advance(carried[2], 4);
                  next.back() = kernel.materialize(Index(carried.back(), 1));
                  return next;
                });
}

/// Fills words with the zero point.
void DepthwiseRowsEmitter::clear(Value begin, int64_t bytes) {
  Value border = pointers.splatHalves(rows.zeroPoint);
  int64_t words = bytes / 4, unroll = words % 4 == 0 ? 4 : words % 2 == 0 ? 2 : 1;
  pointers.loop(begin, bytes, unroll * 4, {}, [&](Value word, ArrayRef<Value>) {
    for (int64_t i = 0; i < unroll; ++i)
      pointers.storeWord(border, word, i * 4);
    return SmallVector<Value>();
  });
}

void DepthwiseRowsEmitter::emitChannel(Value input, Value output, Value bias, Value record,
                                       Index channel) {
  // sum (x - z) * w = sum x * w - z * sum w
  Value initial = bias ? pointers.loadWord(bias) : kernel.i32(0);
  Value weightSum = stageWeights(channel);
  if (rows.zeroPoint)
    initial = kernel.multiplyAdd(weightSum, kernel.i32(-rows.zeroPoint), initial);
  int64_t bands = shape.rows.output / rows.bandRows;
  int64_t rowBytes = shape.columns.output * shape.inputChannels;
  int64_t valid = shape.columns.output % rows.tileWidth;
  kernel.loop(0, bands, 1, [&](Index band) {
    stageBand(input, band);
    Value line = pointers.advance(output, kernel.mul(band, rows.bandRows * rowBytes));
    int64_t planeStep = shape.rows.stride * stride,
            tileStep = rows.tileWidth * 2 * shape.columns.stride;
    pointers.loop(getPlane(), rows.bandRows * planeStep, planeStep, line,
                  [&](Value plane, ArrayRef<Value> carried) -> SmallVector<Value> {
                    Value lastTile = pointers.advance(plane, (rows.getTiles() - 1) * tileStep);
                    pointers.loop(plane, rows.getTiles() * tileStep, tileStep, carried[0],
                                  [&](Value tile, ArrayRef<Value> carried) -> SmallVector<Value> {
                                    Index surplus = 0;
                                    if (valid && rows.getTiles() > 1)
                                      surplus = getSurplus(tile, lastTile);
                                    emitTile(tile, carried[0], initial, record, surplus);
                                    return {pointers.advance(carried[0],
                                                             rows.tileWidth * shape.inputChannels)};
                                  });
                    return {pointers.advance(carried[0], rowBytes)};
                  });
  });
}

/// The distance between outputs that the last tile of a row does not have: 0 there.
Index DepthwiseRowsEmitter::getSurplus(Value tile, Value lastTile) {
  Value isLast = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::eq, tile, lastTile);
  return Index(arith::SelectOp::create(builder, loc, isLast, kernel.materialize(0),
                                       kernel.materialize(shape.inputChannels)));
}

//===----------------------------------------------------------------------===//
// Staging
//===----------------------------------------------------------------------===//

/// Stages the pairs of the weights of a channel; returns the sum of the weights.
Value DepthwiseRowsEmitter::stageWeights(Index channel) {
  auto stagePart = [&](const WeightPart &part) {
    return stageWeights(pointers.pointerTo({part.buffer, channel + -part.begin}), part.size);
  };
  // The last part whose channels have begun.
  std::function<Value(size_t)> choose = [&](size_t last) -> Value {
    const WeightPart &part = operands.weights[last];
    if (last == 0)
      return stagePart(part);
    Value isInPart =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, kernel.materialize(channel),
                              kernel.materialize(part.begin));
    auto branch = scf::IfOp::create(builder, loc, builder.getI32Type(), isInPart,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(builder, loc, stagePart(part));
    builder.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(builder, loc, choose(last - 1));
    return branch.getResult(0);
  };
  return choose(operands.weights.size() - 1);
}

Value DepthwiseRowsEmitter::stageWeights(Value weights, int64_t step) {
  int64_t words = rows.getRowWords();
  Value zero = kernel.i32(0);
  SmallVector<Value> init{weights, zero};
  return pointers
      .loop(getWeights(), rows.getWeightBytes(), words * 4, init,
            [&](Value to, ArrayRef<Value> carried) -> SmallVector<Value> {
              Value from = carried[0], sum = carried[1];
              SmallVector<Value> row;
              for (int64_t tap = 0; tap < taps; ++tap) {
                row.push_back(pointers.loadByte(from));
                sum = arith::AddIOp::create(builder, loc, sum, row.back());
                from = pointers.advance(from, step);
              }
              for (int64_t word = 0; word < words; ++word) {
                int64_t low = shape.columns.stride == 1 ? word : 2 * word;
                Value high = low + 1 < taps ? row[low + 1] : zero;
                pointers.storeWord(pointers.pack(row[low], high), to, word * 4);
              }
              return {from, sum};
            })
      .back();
}

/// One channel of a row of the input; `row` is where its first column goes.
void DepthwiseRowsEmitter::stageRow(Value source, Value row) {
  int64_t columns = shape.columns.input, unroll = 4;
  while (columns % unroll)
    --unroll;
  if (columns <= 8)
    unroll = columns;
  pointers.loop(row, columns * 2, unroll * 2, source,
                [&](Value to, ArrayRef<Value> carried) -> SmallVector<Value> {
                  for (int64_t i = 0; i < unroll; ++i)
                    pointers.storeHalf(pointers.loadByte(carried[0], i * shape.inputChannels), to,
                                       i * 2);
                  return {pointers.advance(carried[0], unroll * shape.inputChannels)};
                });
}

/// The rows that a band reads: those that it shares with the band before are moved up.
void DepthwiseRowsEmitter::stageBand(Value input, Index band) {
  const WindowParameters &window = shape.rows;
  int64_t sourceStep = shape.columns.input * shape.inputChannels;
  int64_t inputRows = rows.getInputRows(rows.bandRows), left = shape.columns.before * 2;
  auto stageRows = [&](Value source, int64_t begin, int64_t count) {
    Value first = pointers.advance(getPlane(), begin * stride);
    if (count > 0)
      pointers.loop(first, count * stride, stride, source,
                    [&](Value row, ArrayRef<Value> carried) -> SmallVector<Value> {
                      stageRow(carried[0], pointers.advance(row, left));
                      return {pointers.advance(carried[0], sourceStep)};
                    });
  };
  if (hasOneBand())
    return stageRows(input, window.before, std::min(window.input, inputRows - window.before));

  // Plane row q of the band is row band * bandRows * stride - before + q of the image.
  int64_t shared = std::max<int64_t>(window.kernel - window.stride, 0);
  int64_t advanced = rows.bandRows * window.stride;
  auto inBand = [&](Index band, int64_t begin) {
    // Rows below the image are the zero point.
    Index first = kernel.mul(band, advanced) + (begin - window.before);
    Value source = pointers.advance(input, kernel.mul(first, sourceStep));
    Index count = kernel.min(kernel.sub(window.input, first), inputRows - begin);
    kernel.loop(0, inputRows - begin, 1, [&](Index row) {
      Value to = pointers.advance(getPlane(), kernel.mul(row + begin, stride));
      Value isInside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                             kernel.materialize(row), kernel.materialize(count));
      auto branch = scf::IfOp::create(builder, loc, isInside, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(branch.thenBlock());
      stageRow(pointers.advance(source, kernel.mul(row, sourceStep)), pointers.advance(to, left));
      builder.setInsertionPointToStart(branch.elseBlock());
      clear(to, stride);
    });
  };
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        kernel.materialize(band), kernel.materialize(0));
  auto branch = scf::IfOp::create(builder, loc, isFirst, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  if (window.before)
    clear(getPlane(), window.before * stride);
  inBand(0, window.before);
  builder.setInsertionPointToStart(branch.elseBlock());
  if (shared)
    pointers.loop(getPlane(), shared * stride, 4, {}, [&](Value to, ArrayRef<Value>) {
      pointers.storeWord(pointers.loadWord(to, advanced * stride), to);
      return SmallVector<Value>();
    });
  inBand(band, shared);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void DepthwiseRowsEmitter::emitTile(Value plane, Value output, Value initial, Value record,
                                    Index surplus) {
  SmallVector<Value> sums(rows.tileWidth, initial);
  for (int64_t row = 0; row < shape.rows.kernel; ++row)
    sums = accumulateRow(sums, plane, row);
  SmallVector<Value> factors = result.loadFactors(pointers, record, 0);
  // Outputs that the last tile of a row does not have are stored over the last one before it is.
  int64_t valid = shape.columns.output % rows.tileWidth;
  if (valid == 0)
    valid = rows.tileWidth;
  bool hasSurplus = surplus.base || shape.columns.output < rows.tileWidth;
  for (int64_t t = rows.tileWidth - 1; t >= 0; --t) {
    bool isSurplus = hasSurplus && t >= valid;
    if (isSurplus && !surplus.base)
      continue;
    Value place = output;
    if (isSurplus)
      place = pointers.advance(output, kernel.mul(surplus, t - valid + 1));
    int64_t offset = (isSurplus ? valid - 1 : t) * shape.inputChannels;
    pointers.storeByte(result.requantize(sums[t], factors), place, offset);
  }
}

/// The products of one kernel row, pairs of neighbours at a time. At stride 1 odd outputs begin
/// in the middle of a word, so that words of weights overlap: (w0, w1), (w1, w2), ...
SmallVector<Value> DepthwiseRowsEmitter::accumulateRow(SmallVector<Value> sums, Value plane,
                                                       int64_t row) {
  Value weights = getWeights();
  int64_t base = row * rows.getRowWords() * 4, offset = row * stride;
  int64_t half = (taps - 1) / 2; // whole pairs
  bool isStrided = shape.columns.stride == 2;
  int64_t words = isStrided ? rows.tileWidth + half : rows.tileWidth / 2 + half;
  SmallVector<Value> x;
  auto load = [&](int64_t word) {
    while (int64_t(x.size()) <= word) {
      int64_t next = x.size(), at = offset + next * 4;
      if (next + 1 < words && at <= 1016) {
        auto [first, second] = pointers.loadWords(plane, at);
        x.append({first, second});
      } else {
        x.push_back(pointers.loadWord(plane, at));
      }
    }
    return x[word];
  };
  auto multiply = [&](StringRef name, Value input, Value weight, int64_t t) {
    sums[t] = kernel.armIntrinsic(name, {input, weight, sums[t]});
  };
  if (isStrided) {
    SmallVector<Value> w;
    for (int64_t i = 0; i <= half; ++i) {
      if (i % 2 == 0 && i < half) {
        auto [first, second] = pointers.loadWords(weights, base + i * 4);
        w.append({first, second});
      } else if (int64_t(w.size()) <= i) {
        w.push_back(pointers.loadWord(weights, base + i * 4));
      }
      for (int64_t t = 0; t < rows.tileWidth; ++t)
        multiply(i < half ? "smlad" : "smlabb", load(t + i), w[i], t);
    }
    return sums;
  }
  for (int64_t i = 0; i < half; ++i) {
    auto [even, odd] = pointers.loadWords(weights, base + i * 8);
    for (int64_t t = 0; t < rows.tileWidth / 2; ++t) {
      multiply("smlad", load(t + i), even, 2 * t);
      if (i == 0)
        multiply("smlatb", load(t), even, 2 * t + 1);
    }
    for (int64_t t = 0; t < rows.tileWidth / 2; ++t) {
      multiply("smlad", load(t + 1 + i), odd, 2 * t + 1);
      if (i == half - 1)
        multiply("smlabt", load(t + half), odd, 2 * t);
    }
  }
  return sums;
}
