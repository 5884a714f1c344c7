// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of convolutions without groups, and of dense layers of several rows, with respect to
// their input: for each tap of the window a product of matrices. The weights of a tile of input
// channels are converted and scaled once, into a panel in scratch that all pixels share.
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "../PackedWeights.h"
#include "../Pointers.h"
#include "../WeightParts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tte;

namespace {

/// Bytes of scratch for the panel. A longer sum, and that of a window, runs in chunks, its partial
/// sums in the result.
constexpr int64_t largestPanel = 4096;
/// The widest tile of input channels of any target.
constexpr int64_t widestTile = 16;
/// Pixels from which on a panel is worth the conversion.
constexpr int64_t fewestPixels = 4;

int64_t getPanelBytes(const ConvShape &shape) {
  int64_t tile = std::min(widestTile, shape.inputChannels);
  return std::min<int64_t>(largestPanel, shape.outputChannels * tile * sizeof(float));
}

/// Output channels of a chunk of which a panel with `tile` columns holds all; a divisor of all
/// output channels where there is one near by.
int64_t getChunk(const ConvShape &shape, int64_t tile) {
  int64_t outputs = shape.outputChannels;
  int64_t fits = getPanelBytes(shape) / (tile * sizeof(float));
  int64_t chunks = llvm::divideCeil(outputs, fits);
  for (int64_t count = chunks; count <= 2 * chunks; ++count)
    if (outputs % count == 0)
      return outputs / count;
  return fits;
}

/// Whether rows of the panel come in pairs, as packed weights do, whatever the tile.
bool hasPairedRows(const ConvShape &shape) {
  return llvm::all_of(llvm::seq_inclusive<int64_t>(1, widestTile),
                      [&](int64_t tile) { return getChunk(shape, tile) % 2 == 0; });
}

class PanelInputGradient {
public:
  PanelInputGradient(KernelEmitter &kernel, const ConvShape &shape, Value gradient,
                     ValueRange weights, int64_t channelAxis, Value result)
      : kernel(kernel), shape(shape), gradient(kernel.bufferOf(gradient)), result(result),
        panel(getPointer(kernel, kernel.getScratch(getPanelBytes(shape)))),
        parts(getWeightParts(kernel, weights, channelAxis)),
        scales(addScaleTable(kernel, weights, channelAxis)) {}

  void emit();

private:
  /// `count` vectors of `lanes` input channels from `channel` on, for all pixels. They are all of
  /// one of `parts`.
  struct Columns {
    ArrayRef<WeightPart> parts;
    Index channel;
    int64_t count, lanes;

    int64_t size() const { return count * lanes; }
  };
  /// Consecutive pixels of the gradient, and those of the result that they add to, `step` apart.
  struct Block {
    Index gradient, result;
    int64_t count, step;
  };

  void emitTile(const Columns &columns);
  void emitWindow(const Columns &columns);
  void emitChunk(const Columns &columns, Index begin, int64_t size, bool isWhole);
  void emitTapChunk(const Columns &columns, Index row, Index column, Index begin, int64_t size);
  void emitBlock(const Columns &columns, const Block &block, Index begin, int64_t size,
                 bool isWhole);
  void loopChunks(const Columns &columns, function_ref<void(Index, int64_t)> body);
  void clearResult(const Columns &columns);
  void finishResult(const Columns &columns);
  SmallVector<ArrayRef<WeightPart>> joinParts();
  void fillPanel(const Columns &columns, Index tap, Index begin, int64_t size);
  void fillPanel(const WeightPart &part, const Columns &columns, Index tap, Index begin,
                 int64_t size);
  Index getPackedByte(const WeightPart &part, Index product, Index output);
  SmallVector<Value> accumulate(const Columns &columns, Index pixel, int64_t pixels, Index begin,
                                int64_t size, ArrayRef<Value> sums);
  Index getElement(const Columns &columns, Index pixel, int64_t column) {
    return kernel.add(kernel.mul(pixel, shape.inputChannels),
                      columns.channel + column * columns.lanes);
  }
  /// The products of an output channel.
  int64_t getProducts(const WeightPart &part) const {
    return shape.rows.kernel * shape.columns.kernel * part.size;
  }
  int64_t getPixels() const { return shape.batch * shape.rows.input * shape.columns.input; }
  /// One gradient a pixel and the columns of a tile stay in registers beside the sums.
  int64_t getBlock() const { return kernel.target.vectorWidth == 1 ? 4 : 6; }
  int64_t getTile() const;
  Type realType(int64_t lanes = 1) { return kernel.laneType(kernel.builder.getF32Type(), lanes); }

  KernelEmitter &kernel;
  const ConvShape &shape;
  Value gradient, result;
  Pointer panel;
  SmallVector<WeightPart> parts;
  std::optional<Table> scales;
};

/// Vectors of input channels. A tile that is a little narrower and leaves no rest is half the code.
int64_t PanelInputGradient::getTile() const {
  if (kernel.target.vectorWidth > 1)
    return 2;
  auto leavesNoRest = [&](int64_t tile) {
    return llvm::all_of(parts, [&](const WeightPart &part) { return part.size % tile == 0; });
  };
  return !leavesNoRest(6) && leavesNoRest(5) ? 5 : 6;
}

/// Parts whose tiles are one loop: where tiles end with parts, these are all.
SmallVector<ArrayRef<WeightPart>> PanelInputGradient::joinParts() {
  ArrayRef<WeightPart> all = parts;
  int64_t tile = getTile() * kernel.target.vectorWidth;
  if (llvm::all_of(all.drop_back(), [&](const WeightPart &part) { return part.size % tile == 0; }))
    return {all};
  SmallVector<ArrayRef<WeightPart>> apart;
  for (const WeightPart &part : all)
    apart.push_back(part);
  return apart;
}

void PanelInputGradient::emit() {
  for (ArrayRef<WeightPart> joined : joinParts()) {
    int64_t begin = joined.front().begin, end = joined.back().begin + joined.back().size;
    kernel.loopTiles(end - begin, getTile(), kernel.target.vectorWidth,
                     [&](Index first, int64_t count, int64_t lanes) {
                       Columns columns{joined, first + begin, count, lanes};
                       if (shape.isPointwise())
                         emitTile(columns);
                       else
                         emitWindow(columns);
                     });
  }
}

void PanelInputGradient::emitTile(const Columns &columns) {
  if (getChunk(shape, columns.size()) == shape.outputChannels)
    return emitChunk(columns, 0, shape.outputChannels, /*isWhole=*/true);
  clearResult(columns);
  loopChunks(columns, [&](Index begin, int64_t size) {
    emitChunk(columns, begin, size, /*isWhole=*/false);
  });
  finishResult(columns);
}

void PanelInputGradient::emitWindow(const Columns &columns) {
  clearResult(columns);
  int64_t taps[] = {shape.rows.kernel, shape.columns.kernel};
  kernel.loopNest(taps, [&](ArrayRef<Index> tap) {
    loopChunks(columns, [&](Index begin, int64_t size) {
      emitTapChunk(columns, tap[0], tap[1], begin, size);
    });
  });
  finishResult(columns);
}

void PanelInputGradient::loopChunks(const Columns &columns,
                                    function_ref<void(Index, int64_t)> body) {
  int64_t outputs = shape.outputChannels, chunk = getChunk(shape, columns.size());
  int64_t whole = outputs / chunk * chunk;
  kernel.loop(0, whole, chunk, [&](Index begin) { body(begin, chunk); });
  if (whole < outputs)
    body(whole, outputs - whole);
}

/// The result holds the sums between chunks.
void PanelInputGradient::clearResult(const Columns &columns) {
  kernel.loop(0, getPixels(), 1, [&](Index pixel) {
    for (int64_t column = 0; column < columns.count; ++column)
      kernel.store(kernel.f32(0, columns.lanes), kernel.getOutput(0),
                   getElement(columns, pixel, column));
  });
}

void PanelInputGradient::finishResult(const Columns &columns) {
  if (kernel.getYielded().front() == result)
    return;
  kernel.loop(0, getPixels(), 1, [&](Index pixel) {
    for (int64_t column = 0; column < columns.count; ++column) {
      Index element = getElement(columns, pixel, column);
      kernel.finish(result, kernel.load(kernel.getOutput(0), element, columns.lanes),
                    {element, columns.channel + column * columns.lanes, {}, columns.lanes});
    }
  });
}

void PanelInputGradient::emitChunk(const Columns &columns, Index begin, int64_t size,
                                   bool isWhole) {
  fillPanel(columns, 0, begin, size);
  kernel.loopTiles(shape.columns.input, getBlock(), 1, [&](Index pixel, int64_t count, int64_t) {
    emitBlock(columns, {pixel, pixel, count, 1}, begin, size, isWhole);
  });
}

/// Adds what all pixels of the gradient give by one tap of the window: tap (i, j) of output (y, x)
/// reads input (y * stride + i * dilation - before, ...).
void PanelInputGradient::emitTapChunk(const Columns &columns, Index row, Index column, Index begin,
                                      int64_t size) {
  const WindowParameters &vertical = shape.rows, &horizontal = shape.columns;
  fillPanel(columns, kernel.add(kernel.mul(row, horizontal.kernel), column), begin, size);
  auto [yBegin, yEnd] = emitOutputs(kernel, vertical, row);
  auto [xBegin, xEnd] = emitOutputs(kernel, horizontal, column);
  int64_t block = getBlock();
  Index count = kernel.max(kernel.sub(xEnd, xBegin), 0);
  Index whole = kernel.add(xBegin, kernel.mul(kernel.floorDiv(count, block), block));
  Index shift = kernel.mul(column, horizontal.dilation) + -horizontal.before;
  kernel.loop(0, shape.batch, 1, [&](Index image) {
    kernel.loop(yBegin, yEnd, 1, [&](Index y) {
      Index target = kernel.add(kernel.mul(y, vertical.stride),
                                kernel.mul(row, vertical.dilation) + -vertical.before);
      Index from = kernel.mul(kernel.add(kernel.mul(image, vertical.output), y), horizontal.output);
      Index to = kernel.add(
          kernel.mul(kernel.add(kernel.mul(image, vertical.input), target), horizontal.input),
          shift);
      auto emitFrom = [&](Index x, int64_t count) {
        Block pixels{kernel.add(from, x), kernel.add(to, kernel.mul(x, horizontal.stride)), count,
                     horizontal.stride};
        emitBlock(columns, pixels, begin, size, /*isWhole=*/false);
      };
      kernel.loop(xBegin, whole, block, [&](Index x) { emitFrom(x, block); });
      kernel.loop(whole, xEnd, 1, [&](Index x) { emitFrom(x, 1); });
    });
  });
}

void PanelInputGradient::emitBlock(const Columns &columns, const Block &block, Index begin,
                                   int64_t size, bool isWhole) {
  auto forEach = [&](function_ref<void(int64_t, int64_t, Index)> body) {
    for (int64_t p = 0; p < block.count; ++p)
      for (int64_t c = 0; c < columns.count; ++c)
        body(p * columns.count + c, c, getElement(columns, block.result + p * block.step, c));
  };
  SmallVector<Value> sums(block.count * columns.count, kernel.f32(0, columns.lanes));
  if (!isWhole)
    forEach([&](int64_t i, int64_t, Index element) {
      sums[i] = kernel.load(kernel.getOutput(0), element, columns.lanes);
    });
  sums = accumulate(columns, block.gradient, block.count, begin, size, sums);
  forEach([&](int64_t i, int64_t column, Index element) {
    if (isWhole)
      kernel.finish(result, sums[i],
                    {element, columns.channel + column * columns.lanes, {}, columns.lanes});
    else
      kernel.store(sums[i], kernel.getOutput(0), element);
  });
}

void PanelInputGradient::fillPanel(const Columns &columns, Index tap, Index begin, int64_t size) {
  OpBuilder &builder = kernel.builder;
  OpBuilder::InsertionGuard guard(builder);
  ArrayRef<WeightPart> parts = columns.parts;
  for (; parts.size() > 1; parts = parts.drop_front()) {
    int64_t end = parts[1].begin;
    if (columns.channel.isConstant()) {
      if (columns.channel.offset < end)
        break;
      continue;
    }
    Value isHere =
        arith::CmpIOp::create(builder, kernel.loc, arith::CmpIPredicate::slt,
                              kernel.materialize(columns.channel), kernel.materialize(end));
    auto branch = scf::IfOp::create(builder, kernel.loc, isHere, /*withElseRegion=*/true);
    builder.setInsertionPointToStart(branch.thenBlock());
    fillPanel(parts.front(), columns, tap, begin, size);
    builder.setInsertionPointToStart(branch.elseBlock());
  }
  fillPanel(parts.front(), columns, tap, begin, size);
}

/// panel[o][c] = f32(s_w[o]) * f32(w[tap][c][o]) for the output channels o of a chunk.
void PanelInputGradient::fillPanel(const WeightPart &part, const Columns &columns, Index tap,
                                   Index begin, int64_t size) {
  OpBuilder &builder = kernel.builder;
  Index product = kernel.add(kernel.mul(tap, part.size), columns.channel + -part.begin);
  int64_t outputs = shape.outputChannels, width = scales ? 1 : sizeof(float);
  bool isPacked = part.isPacked;
  SmallVector<Value> pointers{panel.base};
  if (scales)
    pointers.push_back(
        materialize(kernel, getPointer(kernel, scales->buffer, begin + scales->offset)));
  size_t firstWeights = pointers.size();
  if (isPacked) {
    for (int64_t c = 0; c < columns.size(); ++c)
      pointers.push_back(materialize(
          kernel, getPointer(kernel, part.buffer, getPackedByte(part, product + c, begin))));
  } else {
    Index first = kernel.add(kernel.mul(product, outputs), begin);
    pointers.push_back(materialize(kernel, getPointer(kernel, part.buffer, first)));
  }
  auto fillRow = [&](MutableArrayRef<Value> pointers, int64_t row) {
    Value scale;
    if (scales)
      scale = loadAt(kernel, realType(), Pointer(pointers[1], row * int64_t(sizeof(float))));
    SmallVector<Value> converted;
    for (int64_t c = 0; c < columns.size(); ++c) {
      Pointer place = isPacked ? Pointer(pointers[firstWeights + c], row)
                               : Pointer(pointers[firstWeights], (c * outputs + row) * width);
      Value weight = loadAt(kernel, scales ? Type(builder.getI8Type()) : realType(), place);
      if (scales) {
        weight = arith::SIToFPOp::create(builder, kernel.loc, realType(), weight);
        weight = arith::MulFOp::create(builder, kernel.loc, weight, scale);
      }
      converted.push_back(weight);
    }
    storeRealsAndAdvance(kernel, converted, pointers[0]);
  };
  int64_t unroll = size % 2 ? 1 : 2, rowBytes = columns.size() * sizeof(float);
  loopPointers(kernel, getEnd(kernel, panel, size * rowBytes), pointers, {},
               [&](MutableArrayRef<Value> pointers, ArrayRef<Value>) {
                 for (int64_t row = 0; row < unroll; ++row)
                   fillRow(pointers, row);
                 if (scales)
                   pointers[1] =
                       materialize(kernel, Pointer(pointers[1], unroll * int64_t(sizeof(float))));
                 // Packed weights of the next two outputs follow those of all products.
                 int64_t step = isPacked ? 2 * getProducts(part) : unroll * width;
                 for (Value &pointer : pointers.drop_front(firstWeights))
                   pointer = materialize(kernel, Pointer(pointer, step));
                 return SmallVector<Value>();
               });
}

/// Where the byte of a weight of an even output lies in a part whose products are a multiple of
/// four: `PairPacking::byteOf`.
Index PanelInputGradient::getPackedByte(const WeightPart &part, Index product, Index output) {
  Index quad = kernel.floorDiv(product, 4);
  Index within = kernel.sub(product, kernel.mul(quad, 4));
  Index half = kernel.floorDiv(within, 2);
  Index odd = kernel.sub(within, kernel.mul(half, 2));
  Index pair = kernel.add(kernel.mul(quad, 8), kernel.mul(odd, 4));
  Index inPairs = kernel.add(pair, kernel.mul(half, 2));
  return kernel.add(kernel.mul(output, getProducts(part)), inPairs);
}

SmallVector<Value> PanelInputGradient::accumulate(const Columns &columns, Index pixel,
                                                  int64_t pixels, Index begin, int64_t size,
                                                  ArrayRef<Value> sums) {
  SmallVector<Value> pointers{panel.base};
  for (int64_t p = 0; p < pixels; ++p) {
    Index element = kernel.add(kernel.mul(pixel + p, shape.outputChannels), begin);
    pointers.push_back(materialize(kernel, getPointer(kernel, gradient, element)));
  }
  auto step = [&](MutableArrayRef<Value> pointers, int64_t output, SmallVector<Value> sums) {
    SmallVector<Value> factors;
    if (columns.lanes == 1) {
      factors = loadRealsAndAdvance(kernel, pointers[0], columns.count);
    } else {
      for (int64_t c = 0; c < columns.count; ++c)
        factors.push_back(loadAt(kernel, realType(columns.lanes),
                                 Pointer(pointers[0], c * columns.lanes * sizeof(float))));
      pointers[0] = materialize(kernel, Pointer(pointers[0], columns.size() * sizeof(float)));
    }
    for (int64_t p = 0; p < pixels; ++p) {
      Value g = loadAt(kernel, realType(), Pointer(pointers[1 + p], output * sizeof(float)),
                       columns.lanes == 1 ? Order::AsWritten : Order::Free);
      g = kernel.splat(g, columns.lanes);
      for (int64_t c = 0; c < columns.count; ++c) {
        Value &sum = sums[p * columns.count + c];
        sum = kernel.multiplyAdd(g, factors[c], sum);
      }
    }
    return sums;
  };
  int64_t unroll = size % 4 == 0 ? 4 : size % 2 == 0 ? 2 : 1;
  Value end = getEnd(kernel, panel, size * columns.size() * sizeof(float));
  return loopPointers(kernel, end, pointers, sums,
                      [&](MutableArrayRef<Value> pointers, ArrayRef<Value> carried) {
                        SmallVector<Value> next(carried);
                        for (int64_t output = 0; output < unroll; ++output)
                          next = step(pointers, output, next);
                        for (Value &pointer : pointers.drop_front())
                          pointer = materialize(kernel, Pointer(pointer, unroll * sizeof(float)));
                        return next;
                      });
}

/// Whether the one result of the region of `root` is f32: it holds the sums between chunks.
bool hasRealResult(Operation *root) {
  OperandRange results = root->getBlock()->getTerminator()->getOperands();
  return results.size() == 1 && getElementTypeOrSelf(results.front()).isF32();
}

template <typename OpT> class PanelInputGradientFamily : public OpFamily<OpT> {
  bool matches(Operation *root) const override {
    auto op = dyn_cast<OpT>(root);
    if (!op)
      return false;
    ConvShape shape = getConvShape(op);
    return shape.groups == 1 &&
           shape.batch * shape.rows.output * shape.columns.output >= fewestPixels &&
           hasRealResult(root);
  }
  void emit(OpT op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    PanelInputGradient(kernel, shape, op.getGradient(), op.getWeights(), op.getWeightAxis(),
                       op.getResult())
        .emit();
  }
  int64_t getScratchBytes(Operation *root) const override {
    return getPanelBytes(getConvShape(cast<OpT>(root)));
  }
  bool takesPackedWeight(Operation *root, unsigned operand) const override {
    auto op = cast<OpT>(root);
    Value weight = root->getOperand(operand);
    auto type = cast<RankedTensorType>(weight.getType());
    return llvm::is_contained(op.getWeights(), weight) && hasPairedRows(getConvShape(op)) &&
           type.getDimSize(op.getWeightAxis()) % 4 == 0;
  }
};

} // namespace

void tte::addPanelInputGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<PanelInputGradientFamily<Conv2DInputGradOp>>());
  families.push_back(std::make_unique<PanelInputGradientFamily<DenseInputGradOp>>());
}
