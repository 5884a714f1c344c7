// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of 1x1 convolutions, and of dense layers of several rows, with respect to their input:
// a product of matrices. The weights of a tile of input channels are converted and scaled once,
// into a panel in scratch that all pixels share.
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "../PackedWeights.h"
#include "../Pointers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

/// Bytes of scratch for the panel. A longer sum runs in chunks, its partial sums in the result.
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

class PointwiseInputGradient {
public:
  PointwiseInputGradient(KernelEmitter &kernel, const ConvShape &shape, Value gradient,
                         ValueRange weights, int64_t channelAxis, Value result)
      : kernel(kernel), shape(shape), gradient(kernel.bufferOf(gradient)), result(result),
        panel(getPointer(kernel, kernel.getScratch(getPanelBytes(shape)))) {
    int64_t begin = 0;
    for (Value weight : weights) {
      int64_t size = cast<RankedTensorType>(weight.getType()).getDimSize(channelAxis);
      parts.push_back({kernel.bufferOf(weight), weight.getType(), begin, size,
                       isPacked(cast<BlockArgument>(weight))});
      begin += size;
    }
    if (getQuantizedElement(weights.front().getType()))
      scales = kernel.addTable(llvm::map_to_vector(getOutputScales(weights, channelAxis),
                                                   [](double scale) { return float(scale); }));
  }

  void emit();

private:
  /// `count` vectors of `lanes` input channels from `first` of a part on, for all pixels.
  struct Columns {
    const WeightPart &part;
    Index first;
    int64_t count, lanes;

    int64_t size() const { return count * lanes; }
    Index channel() const { return first + part.begin; }
  };

  void emitTile(const Columns &columns, int64_t pixels);
  void emitChunk(const Columns &columns, int64_t pixels, Index begin, int64_t size, bool isWhole);
  void fillPanel(const Columns &columns, Index begin, int64_t size);
  Index getPackedByte(const Columns &columns, Index product, Index output);
  SmallVector<Value> accumulate(const Columns &columns, Index pixel, int64_t pixels, Index begin,
                                int64_t size, ArrayRef<Value> sums);
  Index getElement(const Columns &columns, Index pixel, int64_t column) {
    return kernel.add(kernel.mul(pixel, shape.inputChannels),
                      columns.channel() + column * columns.lanes);
  }
  void loopPixels(int64_t pixels, function_ref<void(Index, int64_t)> body) {
    kernel.loopTiles(shape.columns.input, pixels, 1,
                     [&](Index pixel, int64_t count, int64_t) { body(pixel, count); });
  }
  Type realType(int64_t lanes = 1) { return kernel.laneType(kernel.builder.getF32Type(), lanes); }

  KernelEmitter &kernel;
  const ConvShape &shape;
  Value gradient, result;
  Pointer panel;
  SmallVector<WeightPart> parts;
  std::optional<Table> scales;
};

void PointwiseInputGradient::emit() {
  int64_t lanes = kernel.target.vectorWidth;
  // One gradient a pixel and the columns of the tile stay in registers beside the sums.
  int64_t pixels = lanes == 1 ? 4 : 6, columns = lanes == 1 ? 6 : 2;
  for (const WeightPart &part : parts)
    kernel.loopTiles(part.size, columns, lanes, [&](Index first, int64_t count, int64_t lanes) {
      emitTile({part, first, count, lanes}, pixels);
    });
}

void PointwiseInputGradient::emitTile(const Columns &columns, int64_t pixels) {
  int64_t outputs = shape.outputChannels, chunk = getChunk(shape, columns.size());
  if (chunk == outputs)
    return emitChunk(columns, pixels, 0, outputs, /*isWhole=*/true);
  // The result holds the sums between chunks.
  auto forEachVector = [&](function_ref<void(Index)> body) {
    kernel.loop(0, shape.columns.input, 1, [&](Index pixel) {
      for (int64_t column = 0; column < columns.count; ++column)
        body(getElement(columns, pixel, column));
    });
  };
  Value sums = kernel.getOutput(0);
  forEachVector([&](Index element) { kernel.store(kernel.f32(0, columns.lanes), sums, element); });
  int64_t whole = outputs / chunk * chunk;
  kernel.loop(0, whole, chunk,
              [&](Index begin) { emitChunk(columns, pixels, begin, chunk, /*isWhole=*/false); });
  if (whole < outputs)
    emitChunk(columns, pixels, whole, outputs - whole, /*isWhole=*/false);
  if (kernel.getYielded().front() != result)
    kernel.loop(0, shape.columns.input, 1, [&](Index pixel) {
      for (int64_t column = 0; column < columns.count; ++column) {
        Index element = getElement(columns, pixel, column);
        kernel.finish(result, kernel.load(sums, element, columns.lanes),
                      {element, columns.channel() + column * columns.lanes, {}, columns.lanes});
      }
    });
}

void PointwiseInputGradient::emitChunk(const Columns &columns, int64_t pixels, Index begin,
                                       int64_t size, bool isWhole) {
  fillPanel(columns, begin, size);
  loopPixels(pixels, [&](Index pixel, int64_t count) {
    auto forEach = [&](function_ref<void(int64_t, int64_t, Index)> body) {
      for (int64_t p = 0; p < count; ++p)
        for (int64_t c = 0; c < columns.count; ++c)
          body(p * columns.count + c, c, getElement(columns, pixel + p, c));
    };
    SmallVector<Value> sums(count * columns.count, kernel.f32(0, columns.lanes));
    if (!isWhole)
      forEach([&](int64_t i, int64_t, Index element) {
        sums[i] = kernel.load(kernel.getOutput(0), element, columns.lanes);
      });
    sums = accumulate(columns, pixel, count, begin, size, sums);
    forEach([&](int64_t i, int64_t column, Index element) {
      if (isWhole)
        kernel.finish(result, sums[i],
                      {element, columns.channel() + column * columns.lanes, {}, columns.lanes});
      else
        kernel.store(sums[i], kernel.getOutput(0), element);
    });
  });
}

/// panel[o][c] = f32(s_w[o]) * f32(w[c][o]) for the output channels o of a chunk.
void PointwiseInputGradient::fillPanel(const Columns &columns, Index begin, int64_t size) {
  OpBuilder &builder = kernel.builder;
  int64_t outputs = shape.outputChannels, width = scales ? 1 : sizeof(float);
  bool isPacked = columns.part.isPacked;
  SmallVector<Value> pointers{panel.base};
  if (scales)
    pointers.push_back(
        materialize(kernel, getPointer(kernel, scales->buffer, begin + scales->offset)));
  size_t firstWeights = pointers.size();
  if (isPacked) {
    for (int64_t c = 0; c < columns.size(); ++c)
      pointers.push_back(
          materialize(kernel, getPointer(kernel, columns.part.buffer,
                                         getPackedByte(columns, columns.first + c, begin))));
  } else {
    Index first = kernel.add(kernel.mul(columns.first, outputs), begin);
    pointers.push_back(materialize(kernel, getPointer(kernel, columns.part.buffer, first)));
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
                 int64_t step = isPacked ? 2 * columns.part.size : unroll * width;
                 for (Value &pointer : pointers.drop_front(firstWeights))
                   pointer = materialize(kernel, Pointer(pointer, step));
                 return SmallVector<Value>();
               });
}

/// Where the byte of a weight of an even output lies in a part whose products are a multiple of
/// four: `PairPacking::byteOf`.
Index PointwiseInputGradient::getPackedByte(const Columns &columns, Index product, Index output) {
  Index quad = kernel.floorDiv(product, 4);
  Index within = kernel.sub(product, kernel.mul(quad, 4));
  Index half = kernel.floorDiv(within, 2);
  Index odd = kernel.sub(within, kernel.mul(half, 2));
  Index pair = kernel.add(kernel.mul(quad, 8), kernel.mul(odd, 4));
  Index inPairs = kernel.add(pair, kernel.mul(half, 2));
  return kernel.add(kernel.mul(output, columns.part.size), inPairs);
}

SmallVector<Value> PointwiseInputGradient::accumulate(const Columns &columns, Index pixel,
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

template <typename OpT> class PointwiseInputGradientFamily : public OpFamily<OpT> {
  bool matches(Operation *root) const override {
    auto op = dyn_cast<OpT>(root);
    if (!op)
      return false;
    ConvShape shape = getConvShape(op);
    return shape.groups == 1 && shape.isPointwise() && shape.columns.input >= fewestPixels &&
           hasRealResult(root);
  }
  void emit(OpT op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    PointwiseInputGradient(kernel, shape, op.getGradient(), op.getWeights(), op.getWeightAxis(),
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

void tte::addPointwiseInputGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<PointwiseInputGradientFamily<Conv2DInputGradOp>>());
  families.push_back(std::make_unique<PointwiseInputGradientFamily<DenseInputGradOp>>());
}
