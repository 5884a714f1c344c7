// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels of quantized convolutions (not depthwise) and dense layers.
#include "../RowKernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tte;

/// Pixels that share the weights they are multiplied by. Instructions per pixel of a step of two
/// products and two channels: the products, and a share of the loads; registers hold three pixels
/// best, a fourth costs some spills.
static int64_t chooseBlock(int64_t pixels) {
  constexpr double costOfPixel[] = {3.75, 2.9, 2.17, 2.25};
  auto costOf = [&](int64_t block) {
    return double((pixels + block - 1) / block * block) * costOfPixel[block - 1];
  };
  int64_t best = 1;
  for (int64_t block = 2; block <= std::min<int64_t>(pixels, 4); ++block)
    if (costOf(block) < costOf(best))
      best = block;
  return best;
}

ConvRows::ConvRows(const ConvShape &shape, ArrayRef<int64_t> partSizes, int64_t zeroPoint)
    : shape(shape), zeroPoint(zeroPoint), block(chooseBlock(shape.columns.output)) {
  int64_t begin = 0, taps = shape.rows.kernel * shape.columns.kernel;
  for (int64_t size : partSizes) {
    parts.push_back({begin, size, size * taps});
    begin += size * taps;
  }
}

int64_t ConvRows::getPairs() const {
  int64_t pairs = 0;
  for (const Part &part : parts)
    pairs += part.pairs();
  return pairs;
}

int64_t ConvRows::getScratchBytes() const {
  return block * getPairs() * 4 + (isPointwise() ? 0 : getPatchBytes());
}

int64_t ConvRows::getLag() const {
  const WindowParameters &rowWindow = shape.rows, &columnWindow = shape.columns;
  int64_t line = columnWindow.input * shape.inputChannels;
  // The first byte that the blocks from this one on read.
  auto readFrom = [&](int64_t image, int64_t row, int64_t column) {
    auto first = [](const WindowParameters &window, int64_t output) {
      return std::max<int64_t>(output * window.stride - window.before, 0);
    };
    int64_t begin = image * rowWindow.input * line;
    int64_t here =
        begin + first(rowWindow, row) * line + first(columnWindow, column) * shape.inputChannels;
    int64_t nextRow = row + 1 < rowWindow.output ? begin + first(rowWindow, row + 1) * line
                                                 : begin + rowWindow.input * line;
    return std::min(here, nextRow);
  };
  int64_t lag = -shape.batch * rowWindow.input * line; // all is staged before anything is stored
  int64_t written = 0;
  for (int64_t image = 0; image < shape.batch; ++image)
    for (int64_t row = 0; row < rowWindow.output; ++row)
      for (int64_t column = 0; column < columnWindow.output; column += block) {
        if (written)
          lag = std::max(lag, written - readFrom(image, row, column));
        written += std::min(block, columnWindow.output - column) * shape.outputChannels;
      }
  return lag;
}

namespace tte {

class ConvRowsEmitter {
public:
  ConvRowsEmitter(KernelBuilder &kernel, const ConvRows &rows, const ConvRows::Operands &operands,
                  RowResult &result)
      : kernel(kernel), builder(kernel.builder), loc(kernel.loc), pointers(kernel), rows(rows),
        shape(rows.shape), operands(operands), result(result), block(rows.block),
        rowAxis(getForwardAxis(shape.rows)), columnAxis(getForwardAxis(shape.columns)) {}

  void emit();

private:
  using Part = ConvRows::Part;
  /// A pixel of the output.
  struct Pixel {
    Index image, row, column;
  };

  void emitBlock(Index image, Index row, Index column);
  void stage(const Pixel &pixel, Index slot);
  void expand(Value source, Value slot);
  void gather(const Pixel &pixel);
  void gatherRow(const Pixel &pixel, const Part &part, Index tapRow, Index destination,
                 bool isInside);
  void copy(Place source, Index destination, int64_t bytes);
  void fill(Index destination, int64_t bytes);
  void emitChannels(Index firstPixel, Index surplus);
  void emitChannelsByPointers(const RowResult::Requantization &places, Index firstPixel,
                              Index surplus);
  void forEachPixel(Index surplus, function_ref<void(int64_t, Index)> store);
  SmallVector<Value> getPixels(Value first, Index surplus);
  Value getSingles(unsigned part, Index channel);
  SmallVector<Value> accumulate(ArrayRef<Value> initial, MutableArrayRef<Value> weights,
                                ArrayRef<Value> singles);
  SmallVector<Value> accumulatePart(SmallVector<Value> sums, unsigned part, Value pairs,
                                    Value &weights, Value single, int64_t count);
  SmallVector<Value> loadPacked(Value weights, int64_t pair);
  SmallVector<Value> loadPlain(Value weights, int64_t low, int64_t high, int64_t count);
  void emitPortableChannels(Index firstPixel, Index surplus);
  SmallVector<Value> accumulatePortably(ArrayRef<Value> initial, Index channel);
  /// The bytes of a pixel: for portable code those of all pixels of a block lie in scratch.
  Place patch(Index element) { return {operands.scratch, kernel.add(patchBegin, element)}; }

  KernelBuilder &kernel;
  OpBuilder &builder;
  Location loc;
  DSPBuilder pointers;
  const ConvRows &rows;
  const ConvShape &shape;
  const ConvRows::Operands &operands;
  RowResult &result;
  int64_t block;
  Axis rowAxis, columnAxis;
  Index patchBegin;
};

} // namespace tte

void ConvRows::emit(KernelBuilder &kernel, const Operands &operands, RowResult &result) const {
  ConvRowsEmitter(kernel, *this, operands, result).emit();
}

void ConvRowsEmitter::emit() {
  kernel.loop(0, shape.batch, 1, [&](Index image) {
    kernel.loop(0, rowAxis.count, 1, [&](Index row) {
      kernel.loop(0, columnAxis.count, block, [&](Index column) { emitBlock(image, row, column); });
    });
  });
}

void ConvRowsEmitter::emitBlock(Index image, Index row, Index column) {
  int64_t columns = columnAxis.count;
  Index count = block, surplus = 0; // elements between pixels that the last block does not have
  if (columns % block) {
    count = kernel.min(kernel.sub(columns, column), block);
    Value isFull =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle, kernel.materialize(column),
                              kernel.materialize(columns - block));
    surplus = Index(arith::SelectOp::create(
        builder, loc, isFull, kernel.materialize(shape.outputChannels), kernel.materialize(0)));
  }
  kernel.loop(0, count, 1,
              [&](Index slot) { stage({image, row, kernel.add(column, slot)}, slot); });
  Index line = kernel.mul(kernel.add(kernel.mul(image, rowAxis.count), row), columns);
  Index firstPixel = kernel.mul(kernel.add(line, column), shape.outputChannels);
  if (!kernel.target.dsp)
    emitPortableChannels(firstPixel, surplus);
  else if (std::optional<RowResult::Requantization> places = result.getRequantization())
    emitChannelsByPointers(*places, firstPixel, surplus);
  else
    emitChannels(firstPixel, surplus);
}

//===----------------------------------------------------------------------===//
// Staging: the inputs of a pixel as bytes, [block][products], or as pairs of 16-bit integers less
// the zero point, [pairs][block]
//===----------------------------------------------------------------------===//

void ConvRowsEmitter::stage(const Pixel &pixel, Index slot) {
  Index line = kernel.mul(kernel.add(kernel.mul(pixel.image, shape.rows.input), pixel.row),
                          shape.columns.input);
  Index element = kernel.add(kernel.mul(kernel.add(line, pixel.column), shape.inputChannels),
                             operands.input.element);
  bool isPointwise = rows.isPointwise();
  if (!kernel.target.dsp) {
    patchBegin = kernel.mul(slot, rows.getProducts());
    return isPointwise ? copy({operands.input.buffer, element}, 0, shape.inputChannels)
                       : gather(pixel);
  }
  Value destination = pointers.pointerTo({operands.scratch, kernel.mul(slot, 4)});
  if (isPointwise)
    return expand(pointers.pointerTo({operands.input.buffer, element}), destination);
  patchBegin = rows.getScratchBytes() - rows.getPatchBytes();
  gather(pixel);
  expand(pointers.pointerTo(patch(0)), destination);
}

/// Four bytes at a time become the pairs (0, 2) and (1, 3), as sxtab16 widens them.
void ConvRowsEmitter::expand(Value source, Value slot) {
  Value offsets = rows.zeroPoint ? pointers.splatHalves(-rows.zeroPoint) : Value();
  int64_t stride = block * 4;
  auto expandQuads = [&](Value from, Value to, int64_t count) {
    for (int64_t quad = 0; quad < count; ++quad) {
      Value word = pointers.loadUnalignedWord(from, quad * 4);
      pointers.storeWord(pointers.widenEven(word, offsets), to, 2 * quad * stride);
      pointers.storeWord(pointers.widenOdd(word, offsets), to, (2 * quad + 1) * stride);
    }
  };
  for (const Part &part : rows.parts) {
    Value from = pointers.advance(source, part.begin);
    int64_t quads = part.length / 4, unroll = quads % 3 == 0 && quads % 4 ? 3 : 4;
    int64_t looped = quads / unroll * unroll;
    if (looped)
      slot = pointers
                 .loop(from, looped * 4, unroll * 4, slot,
                       [&](Value from, ArrayRef<Value> carried) -> SmallVector<Value> {
                         expandQuads(from, carried[0], unroll);
                         return {pointers.advance(carried[0], unroll * 2 * stride)};
                       })
                 .front();
    from = pointers.advance(from, looped * 4);
    expandQuads(from, slot, quads - looped);
    slot = pointers.advance(slot, (quads - looped) * 2 * stride);
    from = pointers.advance(from, (quads - looped) * 4);
    int64_t rest = part.length % 4;
    auto centred = [&](int64_t i) -> Value {
      Value byte = pointers.loadByte(from, i);
      return rows.zeroPoint ? arith::AddIOp::create(builder, loc, byte, kernel.i32(-rows.zeroPoint))
                            : byte;
    };
    Value zero = kernel.i32(0);
    for (int64_t i = 0; i < (rest + 1) / 2; ++i) {
      int64_t high = i + (rest + 1) / 2;
      pointers.storeWord(pointers.pack(centred(i), high < rest ? centred(high) : zero), slot,
                         i * stride);
    }
    slot = pointers.advance(slot, (rest + 1) / 2 * stride);
  }
}

/// Collects the inputs of a pixel part by part, tap by tap; those outside are the zero point.
void ConvRowsEmitter::gather(const Pixel &pixel) {
  auto gatherRows = [&](bool isInside) {
    for (const Part &part : rows.parts)
      kernel.loop(0, shape.rows.kernel, 1, [&](Index tap) {
        Index destination = kernel.mul(tap, shape.columns.kernel * part.size) + part.begin;
        gatherRow(pixel, part, tap, destination, isInside);
      });
  };
  Run interior{columnAxis.count, columnAxis.count, 0, 0};
  for (const Run &run : getRuns(columnAxis))
    if (run.tapBegin == 0 && run.tapEnd == columnAxis.taps)
      interior = run;
  if (interior.begin == 0 && interior.end == columnAxis.count)
    return gatherRows(true);
  Value column = kernel.materialize(pixel.column);
  auto compare = [&](arith::CmpIPredicate predicate, int64_t bound) {
    return arith::CmpIOp::create(builder, loc, predicate, column, kernel.materialize(bound));
  };
  Value isInterior =
      arith::AndIOp::create(builder, loc, compare(arith::CmpIPredicate::sge, interior.begin),
                            compare(arith::CmpIPredicate::slt, interior.end));
  auto branch = scf::IfOp::create(builder, loc, isInterior, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  gatherRows(true);
  builder.setInsertionPointToStart(branch.elseBlock());
  gatherRows(false);
}

void ConvRowsEmitter::gatherRow(const Pixel &pixel, const Part &part, Index tapRow,
                                Index destination, bool isInside) {
  int64_t partStart = part.begin / (shape.rows.kernel * shape.columns.kernel);
  int64_t channels = shape.inputChannels, taps = shape.columns.kernel;
  Index y = kernel.add(kernel.mul(pixel.row, rowAxis.inputStride),
                       kernel.mul(tapRow, rowAxis.offsetStep) + rowAxis.firstOffset);
  Index line =
      kernel.mul(kernel.add(kernel.mul(pixel.image, shape.rows.input), y), shape.columns.input);
  Index x = kernel.mul(pixel.column, columnAxis.inputStride) + columnAxis.firstOffset;
  Index first = kernel.add(
      kernel.add(operands.input.element, kernel.mul(kernel.add(line, x), channels)), partStart);
  auto copyTaps = [&] {
    if (isInside && columnAxis.offsetStep == 1 && part.size == channels)
      return copy({operands.input.buffer, first}, destination, taps * channels);
    for (int64_t tap = 0; tap < taps; ++tap) {
      int64_t offset = tap * columnAxis.offsetStep;
      auto copyTap = [&] {
        copy({operands.input.buffer, first + offset * channels}, destination + tap * part.size,
             part.size);
      };
      if (isInside) {
        copyTap();
        continue;
      }
      // Negative columns are large as unsigned numbers.
      Value reads = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                          kernel.materialize(x + offset),
                                          kernel.materialize(columnAxis.extent));
      auto branch = scf::IfOp::create(builder, loc, reads, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(branch.thenBlock());
      copyTap();
      builder.setInsertionPointToStart(branch.elseBlock());
      fill(destination + tap * part.size, part.size);
    }
  };
  if (rowAxis.isInside())
    return copyTaps();
  Value reads = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                      kernel.materialize(y), kernel.materialize(rowAxis.extent));
  auto branch = scf::IfOp::create(builder, loc, reads, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  copyTaps();
  builder.setInsertionPointToStart(branch.elseBlock());
  fill(destination, taps * part.size);
}

/// Copies bytes to the patch.
void ConvRowsEmitter::copy(Place source, Index destination, int64_t bytes) {
  if (!kernel.target.dsp)
    return kernel.loopLanes(bytes, kernel.target.vectorWidth, [&](Index byte, int64_t lanes) {
      Place to = patch(kernel.add(destination, byte));
      kernel.store(kernel.load(source.buffer, kernel.add(source.element, byte), lanes), to.buffer,
                   to.element);
    });
  Value from = pointers.pointerTo(source), to = pointers.pointerTo(patch(destination));
  int64_t words = bytes / 4;
  auto copyWord = [&](Value from, Value to, int64_t offset) {
    pointers.storeUnalignedWord(pointers.loadUnalignedWord(from, offset), to, offset);
  };
  if (words <= 8) {
    for (int64_t word = 0; word < words; ++word)
      copyWord(from, to, word * 4);
  } else {
    pointers.loop(from, words * 4, 4, to, [&](Value from, ArrayRef<Value> carried) {
      copyWord(from, carried[0], 0);
      return SmallVector<Value>{pointers.advance(carried[0], 4)};
    });
  }
  for (int64_t byte = words * 4; byte < bytes; ++byte)
    pointers.storeByte(pointers.loadByte(from, byte), to, byte);
}

/// Fills bytes of the patch with the zero point.
void ConvRowsEmitter::fill(Index destination, int64_t bytes) {
  kernel.loop(0, bytes, 1, [&](Index byte) {
    Place place = patch(kernel.add(destination, byte));
    kernel.store(kernel.i32(rows.zeroPoint), place.buffer, place.element);
  });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void ConvRowsEmitter::emitChannels(Index firstPixel, Index surplus) {
  auto emitTile = [&](Index channel, int64_t count) {
    SmallVector<Value> initial, weights, singles;
    for (int64_t c = 0; c < count; ++c)
      initial.push_back(result.getInitial(channel + c, 1));
    for (auto [index, part] : llvm::enumerate(rows.parts)) {
      const ConvRows::Operands::Weight &weight = operands.weights[index];
      Index first = weight.isPacked ? kernel.mul(channel, part.length / 2 * 2) : channel;
      weights.push_back(pointers.pointerTo({weight.buffer, first}));
      singles.push_back(getSingles(index, channel));
    }
    SmallVector<Value> sums = accumulate(initial, weights, singles);
    for (int64_t c = 0; c < count; ++c) {
      SmallVector<Value> factors = result.loadFactors(channel + c, 1);
      forEachPixel(surplus, [&](int64_t p, Index element) {
        element = kernel.add(kernel.add(firstPixel, element), channel + c);
        result.store(sums[p * count + c], factors, element, channel + c);
      });
    }
  };
  int64_t paired = shape.outputChannels / 2 * 2;
  kernel.loop(0, paired, 2, [&](Index channel) { emitTile(channel, 2); });
  if (paired < shape.outputChannels)
    emitTile(paired, 1);
}

/// The same sums, all of them finished before what follows in order: the code generator otherwise
/// puts off the last products, and keeps their factors where registers are short.
static SmallVector<Value> finishTogether(KernelBuilder &kernel, ArrayRef<Value> sums) {
  std::string outputs, inputs;
  for (size_t i = 0; i < sums.size(); ++i) {
    outputs += "=r,";
    inputs += (i ? "," : "") + std::to_string(i);
  }
  SmallVector<Type> types(sums.size(), kernel.builder.getI32Type());
  auto result = LLVM::LLVMStructType::getLiteral(kernel.builder.getContext(), types);
  Value all = LLVM::InlineAsmOp::create(kernel.builder, kernel.loc, result, sums, "",
                                        outputs + inputs, /*has_side_effects=*/true,
                                        /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                        LLVM::AsmDialectAttr(), /*operand_attrs=*/ArrayAttr())
                  .getResult(0);
  SmallVector<Value> values;
  for (size_t i = 0; i < sums.size(); ++i)
    values.push_back(LLVM::ExtractValueOp::create(kernel.builder, kernel.loc, all, i));
  return values;
}

void ConvRowsEmitter::emitChannelsByPointers(const RowResult::Requantization &places,
                                             Index firstPixel, Index surplus) {
  size_t parts = rows.parts.size();
  // Pointers that move from channel to channel: weights, single weights, output, bias.
  SmallVector<Value> moving;
  for (const ConvRows::Operands::Weight &weight : operands.weights)
    moving.push_back(pointers.pointerTo({weight.buffer}));
  SmallVector<size_t> withSingle;
  for (size_t part = 0; part < parts; ++part)
    if (Value single = getSingles(part, 0)) {
      withSingle.push_back(part);
      moving.push_back(single);
    }
  size_t outputAt = moving.size();
  moving.push_back(
      pointers.pointerTo({places.output.buffer, kernel.add(places.output.element, firstPixel)}));
  if (places.bias)
    moving.push_back(pointers.pointerTo(*places.bias));

  auto emitTile = [&](Value record, ArrayRef<Value> carried, int64_t count) {
    SmallVector<Value> next(carried), singles(parts, Value()), initial;
    for (auto [i, part] : llvm::enumerate(withSingle)) {
      singles[part] = carried[parts + i];
      next[parts + i] = pointers.advance(carried[parts + i], count);
    }
    for (int64_t c = 0; c < count; ++c)
      initial.push_back(places.bias ? pointers.loadWord(carried.back(), c * 4) : kernel.i32(0));
    SmallVector<Value> sums = accumulate(initial, MutableArrayRef(next).take_front(parts), singles);
    sums = finishTogether(kernel, sums);
    SmallVector<Value> outputs = getPixels(carried[outputAt], surplus);
    for (int64_t c = 0; c < count; ++c) {
      SmallVector<Value> factors = result.loadFactors(pointers, record, c * places.recordBytes);
      for (int64_t p = block - 1; p >= 0; --p) {
        Value value = result.requantize(sums[p * count + c], factors);
        pointers.storeByte(value, outputs[p], c);
      }
    }
    next[outputAt] = pointers.advance(outputs.front(), count);
    if (places.bias)
      next.back() = pointers.advance(carried.back(), count * 4);
    return next;
  };
  Value records = pointers.pointerTo(places.records);
  int64_t pairs = shape.outputChannels / 2, step = 2 * places.recordBytes;
  if (pairs)
    moving = pointers.loop(
        records, pairs * step, step, moving,
        [&](Value record, ArrayRef<Value> carried) { return emitTile(record, carried, 2); });
  if (shape.outputChannels % 2)
    emitTile(pointers.advance(records, pairs * step), moving, 1);
}

void ConvRowsEmitter::emitPortableChannels(Index firstPixel, Index surplus) {
  const KernelTarget &target = kernel.target;
  int64_t columns = std::max<int64_t>(target.integerAccumulators() / block, 1);
  kernel.loopTiles(shape.outputChannels, columns, target.vectorWidth,
                   [&](Index channel, int64_t count, int64_t lanes) {
                     SmallVector<Value> initial;
                     for (int64_t c = 0; c < count; ++c)
                       initial.push_back(result.getInitial(channel + c * lanes, lanes));
                     SmallVector<Value> sums = accumulatePortably(initial, channel);
                     for (int64_t c = 0; c < count; ++c) {
                       Index output = channel + c * lanes;
                       SmallVector<Value> factors = result.loadFactors(output, lanes);
                       forEachPixel(surplus, [&](int64_t p, Index element) {
                         element = kernel.add(kernel.add(firstPixel, element), output);
                         result.store(sums[p * count + c], factors, element, output);
                       });
                     }
                   });
}

/// The sums of a block for vectors of channels from `channel` on, [block][vectors].
SmallVector<Value> ConvRowsEmitter::accumulatePortably(ArrayRef<Value> initial, Index channel) {
  int64_t lanes = getLanes(initial.front()), count = initial.size();
  SmallVector<Value> sums;
  for (int64_t p = 0; p < block; ++p)
    llvm::append_range(sums, initial);
  for (auto [part, weight] : llvm::zip_equal(rows.parts, operands.weights)) {
    auto multiply = [&](Index step, ArrayRef<Value> carried) {
      Index first = kernel.add(kernel.mul(step, shape.outputChannels), channel);
      SmallVector<Value> factors, next;
      for (int64_t c = 0; c < count; ++c)
        factors.push_back(kernel.load(weight.buffer, first + c * lanes, lanes));
      for (int64_t p = 0; p < block; ++p) {
        Index element = step + (p * rows.getProducts() + part.begin);
        Value x = kernel.load(operands.scratch, element);
        if (rows.zeroPoint)
          x = arith::AddIOp::create(builder, loc, x, kernel.i32(-rows.zeroPoint));
        x = kernel.splat(x, lanes);
        for (int64_t c = 0; c < count; ++c)
          next.push_back(kernel.multiplyAdd(x, factors[c], carried[p * count + c]));
      }
      return next;
    };
    sums = kernel.loopUnrolled(part.length, kernel.target.getUnroll(part.length), sums, multiply);
  }
  return sums;
}

/// Calls `store` for the pixels of a block, with the element relative to the block's first. The
/// last block of a row may have fewer pixels: what follows them is stored over the last one, and
/// then that one. A branch would draw the sums into it.
void ConvRowsEmitter::forEachPixel(Index surplus, function_ref<void(int64_t, Index)> store) {
  int64_t valid = surplus.base ? columnAxis.count % block : block;
  for (int64_t p = block - 1; p >= 0; --p) {
    Index element = std::min(p, valid - 1) * shape.outputChannels;
    if (p >= valid)
      element = kernel.add(element, kernel.mul(surplus, p - valid + 1));
    store(p, element);
  }
}

/// The pixels of a block from `first` on, to be stored in descending order as by `forEachPixel`.
SmallVector<Value> ConvRowsEmitter::getPixels(Value first, Index surplus) {
  int64_t valid = surplus.base ? columnAxis.count % block : block;
  SmallVector<Value> pixels{first};
  for (int64_t p = 1; p < block; ++p)
    pixels.push_back(
        pointers.advance(pixels.back(), p < valid ? Index(shape.outputChannels) : surplus));
  return pixels;
}

/// The packed weights of a channel that have no partner, behind all pairs; null where there are
/// none.
Value ConvRowsEmitter::getSingles(unsigned part, Index channel) {
  int64_t length = rows.parts[part].length;
  if (!operands.weights[part].isPacked || length % 2 == 0)
    return {};
  Index pairs = (length - 1) * shape.outputChannels;
  return pointers.pointerTo({operands.weights[part].buffer, kernel.add(pairs, channel)});
}

/// The sums of a block for the channels of `initial`, [block][channels]. Moves the pointers to
/// the weights on to the next channels.
SmallVector<Value> ConvRowsEmitter::accumulate(ArrayRef<Value> initial,
                                               MutableArrayRef<Value> weights,
                                               ArrayRef<Value> singles) {
  SmallVector<Value> sums;
  for (int64_t p = 0; p < block; ++p)
    llvm::append_range(sums, initial);
  Value pairs = pointers.pointerTo({operands.scratch, 0});
  int64_t count = initial.size();
  for (auto [index, part] : llvm::enumerate(rows.parts)) {
    Value end = weights[index];
    sums = accumulatePart(sums, index, pairs, end, singles[index], count);
    pairs = pointers.advance(pairs, part.pairs() * block * 4);
    weights[index] =
        operands.weights[index].isPacked ? end : pointers.advance(weights[index], count);
  }
  return sums;
}

/// The weights of a pair of products for two channels.
SmallVector<Value> ConvRowsEmitter::loadPacked(Value weights, int64_t pair) {
  Value word = pointers.loadWord(weights, pair * 4);
  return {pointers.widenEven(word), pointers.widenOdd(word)};
}

/// The weights of products `low` and `high` (none where negative) for one or two channels, as
/// pairs for smlad.
SmallVector<Value> ConvRowsEmitter::loadPlain(Value weights, int64_t low, int64_t high,
                                              int64_t count) {
  int64_t stride = shape.outputChannels;
  if (count == 1) {
    Value first = pointers.loadByte(weights, low * stride);
    Value second = high < 0 ? kernel.i32(0) : pointers.loadByte(weights, high * stride);
    return {pointers.pack(first, second)};
  }
  Value word = pointers.loadBytePair(weights, low * stride);
  if (high >= 0) {
    Value second = pointers.loadBytePair(weights, high * stride);
    second = arith::ShLIOp::create(builder, loc, second, kernel.i32(16));
    word = arith::OrIOp::create(builder, loc, word, second);
  }
  return {pointers.widenEven(word), pointers.widenOdd(word)};
}

/// `weights` is left after the weights that were read; `single` is where a packed weight without
/// a partner lies.
SmallVector<Value> ConvRowsEmitter::accumulatePart(SmallVector<Value> sums, unsigned index,
                                                   Value pairs, Value &weights, Value single,
                                                   int64_t count) {
  const Part &part = rows.parts[index];
  bool isPacked = operands.weights[index].isPacked;
  bool loadsPairs = block < 4; // registers are left for a second word
  // A step multiplies the pairs (low, high) of all pixels.
  auto run = [&](Value pairs, Value weights, MutableArrayRef<Value> sums,
                 ArrayRef<std::pair<int64_t, int64_t>> steps) {
    SmallVector<Value> ahead;
    for (auto [step, products] : llvm::enumerate(steps)) {
      SmallVector<Value> factors;
      if (!isPacked)
        factors = loadPlain(weights, products.first, products.second, count);
      else if (products.second < 0)
        factors = loadPlain(single, 0, -1, count);
      else
        factors = loadPacked(weights, step);
      for (int64_t p = 0; p < block; ++p) {
        int64_t word = step * block + p;
        bool hasNext = word % 2 == 0 && word + 1 < int64_t(steps.size()) * block;
        if (ahead.empty() && hasNext && loadsPairs) {
          auto [x, next] = pointers.loadWords(pairs, word * 4);
          ahead = {x, next};
        } else if (ahead.empty()) {
          ahead = {pointers.loadWord(pairs, word * 4)};
        }
        Value x = ahead.front();
        ahead.erase(ahead.begin());
        for (int64_t c = 0; c < count; ++c)
          sums[p * count + c] = pointers.sumProducts(x, factors[c], sums[p * count + c]);
      }
    }
  };
  auto getQuadSteps = [](int64_t quads) {
    SmallVector<std::pair<int64_t, int64_t>> steps;
    for (int64_t quad = 0; quad < quads; ++quad) {
      steps.push_back({quad * 4, quad * 4 + 2});
      steps.push_back({quad * 4 + 1, quad * 4 + 3});
    }
    return steps;
  };
  int64_t quads = part.length / 4;
  int64_t unroll = quads % 4 && quads % 3 == 0 ? 3 : 4;
  int64_t looped = quads > unroll ? quads / unroll * unroll : 0;
  if (looped) {
    SmallVector<Value> carried{weights};
    llvm::append_range(carried, sums);
    int64_t step = unroll * 2 * block * 4;
    carried = pointers.loop(
        pairs, looped / unroll * step, step, carried, [&](Value pairs, ArrayRef<Value> carried) {
          SmallVector<Value> next(carried);
          run(pairs, carried[0], MutableArrayRef(next).drop_front(), getQuadSteps(unroll));
          next[0] =
              pointers.advance(carried[0], unroll * (isPacked ? 8 : 4 * shape.outputChannels));
          return next;
        });
    weights = carried.front();
    sums.assign(carried.begin() + 1, carried.end());
    pairs = pointers.advance(pairs, looped * 2 * block * 4);
  }
  auto steps = getQuadSteps(quads - looped);
  int64_t rest = part.length % 4, first = (quads - looped) * 4;
  for (int64_t i = 0; i < (rest + 1) / 2; ++i) {
    int64_t high = i + (rest + 1) / 2;
    steps.push_back({first + i, high < rest ? first + high : -1});
  }
  run(pairs, weights, sums, steps);
  if (isPacked)
    weights = pointers.advance(weights, (steps.size() - part.length % 2) * 4);
  return sums;
}
