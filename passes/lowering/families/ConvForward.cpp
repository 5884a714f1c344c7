// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Convolutions (not depthwise) and dense layers: quantized ones without groups by row kernels;
// for the others a tile of pixels x output channels accumulates outer products over
// the taps and input channels.
#include "../AffineResult.h"
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "../KernelResult.h"
#include "../PackedWeights.h"
#include "../RowKernels.h"
#include "../WeightParts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

/// A range of products whose inputs are consecutive and whose weights are rows of output channels.
struct Segment {
  int64_t input; ///< relative to the first element of the pixel at tap 0, channel 0
  const WeightPart *part;
  int64_t weight; ///< first row, relative to the weights of the kernel row
  int64_t length;
};

class ConvForward {
public:
  ConvForward(KernelEmitter &kernel, const ConvShape &shape, Value input, ValueRange weights,
              int64_t channelAxis, Value result, AffineResult &affine)
      : kernel(kernel), shape(shape), input(kernel.bufferOf(input)), result(result), affine(affine),
        rows(getForwardAxis(shape.rows)), columns(getForwardAxis(shape.columns)) {
    parts = getWeightParts(kernel, weights, channelAxis);
    // sum (x - z) * w = sum x * w - z * sum w: one sum for all pixels, where no tap is outside.
    int64_t pixels = shape.batch * rows.count * columns.count;
    foldsZeroPoint =
        affine.getInputZeroPoint() && pixels >= 8 && rows.isInside() && columns.isInside();
    zeroPoint = foldsZeroPoint ? 0 : affine.getInputZeroPoint();
  }

  void emit();

private:
  void emitChannels(Index group, Index channel, int64_t count, int64_t lanes);
  void emitPixels(Index image, Index row, Index column, int64_t count, const Run &run, Index group,
                  Index channel, ArrayRef<Value> initial);
  SmallVector<Value> subtractZeroPoint(SmallVector<Value> initial, Index channel);
  SmallVector<Value> accumulate(SmallVector<Value> sums, const Segment &segment,
                                ArrayRef<Index> pixels, Index kernelRow, Index channel,
                                int64_t count, int64_t lanes);
  SmallVector<Segment> getSegments(int64_t tapBegin, int64_t tapEnd);
  int64_t getRowStride(const WeightPart &part) {
    return shape.columns.kernel * part.size * shape.outputChannels;
  }

  KernelEmitter &kernel;
  const ConvShape &shape;
  Value input, result;
  AffineResult &affine;
  Axis rows, columns;
  SmallVector<WeightPart> parts;
  bool foldsZeroPoint;
  int64_t zeroPoint;
  Tile tile;
};

void ConvForward::emit() {
  int64_t lanes = kernel.target.vectorWidth;
  int64_t accumulators = affine.isQuantized() ? kernel.target.integerAccumulators()
                                              : kernel.target.floatAccumulators();
  // Loads per step: one a pixel (and its zero point), one a vector of channels.
  int64_t channels = std::max<int64_t>(shape.groupOutputs() / lanes, 1);
  tile = chooseTile(columns.count, channels, accumulators, zeroPoint ? 2 : 1, 1);
  kernel.loop(0, shape.groups, 1, [&](Index group) {
    kernel.loopTiles(shape.groupOutputs(), tile.columns, lanes,
                     [&](Index output, int64_t count, int64_t lanes) {
                       Index channel = kernel.add(kernel.mul(group, shape.groupOutputs()), output);
                       emitChannels(group, channel, count, lanes);
                     });
  });
}

void ConvForward::emitChannels(Index group, Index channel, int64_t count, int64_t lanes) {
  SmallVector<Value> initial;
  for (int64_t c = 0; c < count; ++c)
    initial.push_back(affine.getInitial(channel + c * lanes, lanes));
  if (foldsZeroPoint)
    initial = subtractZeroPoint(initial, channel);
  kernel.loop(0, shape.batch, 1, [&](Index image) {
    kernel.loop(0, rows.count, 1, [&](Index row) {
      for (const Run &run : getRuns(columns))
        kernel.loopTiles(
            run.end - run.begin, tile.rows, 1, [&](Index column, int64_t pixels, int64_t) {
              emitPixels(image, row, column + run.begin, pixels, run, group, channel, initial);
            });
    });
  });
}

SmallVector<Value> ConvForward::subtractZeroPoint(SmallVector<Value> initial, Index channel) {
  int64_t lanes = getLanes(initial.front());
  SmallVector<Value> sums(initial.size(), kernel.i32(0, lanes));
  for (const WeightPart &part : parts) {
    int64_t length = shape.rows.kernel * shape.columns.kernel * part.size;
    sums = kernel.loopUnrolled(
        length, kernel.target.getUnroll(length), sums, [&](Index step, ArrayRef<Value> carried) {
          SmallVector<Value> next;
          Index weight = kernel.add(kernel.mul(step, shape.outputChannels), channel);
          for (auto [c, sum] : llvm::enumerate(carried))
            next.push_back(
                arith::AddIOp::create(kernel.builder, kernel.loc, sum,
                                      kernel.load(part.buffer, weight + c * lanes, lanes)));
          return next;
        });
  }
  Value factor = kernel.i32(-affine.getInputZeroPoint(), lanes);
  for (auto [value, sum] : llvm::zip(initial, sums))
    value = kernel.multiplyAdd(sum, factor, value);
  return initial;
}

SmallVector<Segment> ConvForward::getSegments(int64_t tapBegin, int64_t tapEnd) {
  int64_t channels = shape.inputChannels;
  if (columns.offsetStep == 1 && parts.size() == 1 && shape.groups == 1)
    return {{columns.offsetOf(tapBegin) * channels, &parts.front(),
             tapBegin * channels * shape.outputChannels, (tapEnd - tapBegin) * channels}};
  SmallVector<Segment> segments;
  for (int64_t tap = tapBegin; tap < tapEnd; ++tap)
    for (const WeightPart &part : parts)
      segments.push_back({columns.offsetOf(tap) * channels + part.begin, &part,
                          tap * part.size * shape.outputChannels, part.size});
  return segments;
}

SmallVector<Value> ConvForward::accumulate(SmallVector<Value> sums, const Segment &segment,
                                           ArrayRef<Index> pixels, Index kernelRow, Index channel,
                                           int64_t count, int64_t lanes) {
  Index firstWeight = kernel.add(kernelRow + segment.weight, channel);
  auto step = [&](Index step, ArrayRef<Value> carried) {
    Index weight = kernel.add(kernel.mul(step, shape.outputChannels), firstWeight);
    SmallVector<Value> factors, next;
    for (int64_t c = 0; c < count; ++c)
      factors.push_back(kernel.load(segment.part->buffer, weight + c * lanes, lanes));
    for (auto [p, pixel] : llvm::enumerate(pixels)) {
      Index element = kernel.add(pixel, step) + segment.input;
      Value x = kernel.splat(loadCentred(kernel, input, element, 1, zeroPoint), lanes);
      for (int64_t c = 0; c < count; ++c)
        next.push_back(kernel.multiplyAdd(x, factors[c], carried[p * count + c]));
    }
    return next;
  };
  return kernel.loopUnrolled(segment.length, kernel.target.getUnroll(segment.length), sums, step);
}

void ConvForward::emitPixels(Index image, Index row, Index column, int64_t count, const Run &run,
                             Index group, Index channel, ArrayRef<Value> initial) {
  int64_t lanes = getLanes(initial.front());
  SmallVector<Value> sums;
  for (int64_t p = 0; p < count; ++p)
    llvm::append_range(sums, initial);
  auto [tapBegin, tapEnd] = rows.emitTaps(kernel, row);
  sums = kernel.loop(tapBegin, tapEnd, 1, sums, [&](Index tap, ArrayRef<Value> carried) {
    Index y = kernel.add(kernel.mul(row, rows.inputStride),
                         kernel.mul(tap, rows.offsetStep) + rows.firstOffset);
    Index line = kernel.mul(kernel.add(kernel.mul(image, shape.rows.input), y),
                            shape.columns.input * shape.inputChannels);
    Index first = kernel.add(kernel.mul(column, columns.inputStride * shape.inputChannels),
                             kernel.mul(group, shape.groupInputs()));
    SmallVector<Index> pixels;
    for (int64_t p = 0; p < count; ++p)
      pixels.push_back(kernel.add(line, first) + p * columns.inputStride * shape.inputChannels);
    SmallVector<Value> values(carried);
    for (const Segment &segment : getSegments(run.tapBegin, run.tapEnd)) {
      Index kernelRow = kernel.mul(tap, getRowStride(*segment.part));
      values = accumulate(values, segment, pixels, kernelRow, channel, initial.size(), lanes);
    }
    return values;
  });
  Index line = kernel.mul(kernel.add(kernel.mul(image, rows.count), row), columns.count);
  for (int64_t p = 0; p < count; ++p) {
    Index pixel = kernel.mul(kernel.add(line, column) + p, shape.outputChannels);
    for (size_t c = 0; c < initial.size(); ++c) {
      Index output = channel + c * lanes;
      Value value = affine.finish(sums[p * initial.size() + c], output);
      kernel.finish(result, value, {kernel.add(pixel, output), output, {}, lanes});
    }
  }
}

/// The rows of `op` where row kernels compute it.
template <typename OpT> std::optional<ConvRows> getRows(OpT op) {
  ConvShape shape = getConvShape(op);
  if (!getQuantizedElement(op.getInput().getType()) || shape.groups != 1)
    return std::nullopt;
  SmallVector<int64_t> sizes = llvm::map_to_vector(op.getWeights(), [&](Value weight) {
    return cast<RankedTensorType>(weight.getType()).getDimSize(op.getWeightAxis());
  });
  return ConvRows(shape, sizes, getZeroPoint(op.getInput().getType()));
}

template <typename OpT> class ConvForwardFamily : public OpFamily<OpT> {
  int64_t getScratchBytes(Operation *root) const override {
    std::optional<ConvRows> rows = getRows(cast<OpT>(root));
    return rows ? rows->getScratchBytes() : 0;
  }
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    auto op = cast<OpT>(root);
    std::optional<ConvRows> rows = getRows(op);
    if (!rows || root->getOperand(operand) != op.getInput())
      return std::nullopt;
    return Overlap{Overlap::Traversal::Ascending, rows->getLag()};
  }
  bool takesPackedWeight(Operation *root, unsigned operand) const override {
    return getRows(cast<OpT>(root)) &&
           llvm::is_contained(cast<OpT>(root).getWeights(), root->getOperand(operand));
  }
  void emit(OpT op, KernelEmitter &kernel) const override {
    int64_t axis = op.getWeightAxis();
    AffineResult affine(kernel, op.getInput(), op.getWeights(), op.getBias(), op.getResult(),
                        op.getClamp(), axis);
    std::optional<ConvRows> rows = getRows(op);
    if (!rows) {
      ConvForward(kernel, getConvShape(op), op.getInput(), op.getWeights(), axis, op.getResult(),
                  affine)
          .emit();
      return;
    }
    ConvRows::Operands operands{
        {kernel.bufferOf(op.getInput())}, {}, kernel.getScratch(rows->getScratchBytes())};
    for (Value weight : op.getWeights())
      operands.weights.push_back({kernel.bufferOf(weight), isPacked(cast<BlockArgument>(weight))});
    KernelResult result(kernel, affine, op.getResult());
    rows->emit(kernel, operands, result);
  }
};

} // namespace

void tte::addConvForwardFamily(FamilyList &families) {
  families.push_back(std::make_unique<ConvForwardFamily<Conv2DOp>>());
  families.push_back(std::make_unique<ConvForwardFamily<DenseOp>>());
}
