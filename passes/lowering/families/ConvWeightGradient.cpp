// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of convolutions (not depthwise) and dense layers with respect to their weight: for every
// tap of the window a tile of input x output channels accumulates outer products over all pixels.
// What follows (scaling, the update) is applied to the finished tile.
#include "../ConvShape.h"
#include "../FinishLoop.h"
#include "../KernelFamily.h"
#include "../Pointers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

class ConvWeightGradient {
public:
  ConvWeightGradient(KernelEmitter &kernel, const ConvShape &shape, Value input, Value gradient,
                     Value result, int64_t offset)
      : kernel(kernel), shape(shape), input(kernel.bufferOf(input)),
        gradient(kernel.bufferOf(gradient)), result(result), offset(offset),
        zeroPoint(getZeroPoint(input.getType())),
        finishLoop(kernel, result, kernel.target.floatAccumulators(),
                   shape.batch * shape.rows.output * shape.columns.output) {
    if (quant::QuantizedType type = getQuantizedElement(input.getType()))
      scale = kernel.addTableScalar(float(getScale(type, 0)));
  }

  void emit();

private:
  /// Of tap (`row`, `column`) of the window and a group: `inputs` input channels from `first` on,
  /// and `outputs` vectors of `lanes` output channels from `output` on.
  struct WeightTile {
    Index row, column, group, first, output;
    int64_t inputs, outputs, lanes;
  };

  Tile chooseWeightTile(int64_t inputs, int64_t outputs);
  void emitTile(const WeightTile &tile);
  SmallVector<Value> accumulatePixels(const WeightTile &tile);
  SmallVector<Value> accumulateRows(const WeightTile &tile);
  SmallVector<Value> addPixel(const WeightTile &tile, Value &gradientPointer, Value inputPointer,
                              int64_t pixel, ArrayRef<Value> sums);
  Value loadInput(Pointer pointer);
  Index getInputChannel(const WeightTile &tile) {
    return kernel.add(kernel.mul(tile.group, shape.groupInputs()), tile.first) + offset;
  }
  Index getOutputChannel(const WeightTile &tile) {
    return kernel.add(kernel.mul(tile.group, shape.groupOutputs()), tile.output);
  }
  int64_t inputBytes() const { return scale ? 1 : sizeof(float); }

  KernelEmitter &kernel;
  const ConvShape &shape;
  Value input, gradient, result;
  int64_t offset, zeroPoint;
  Value scale;
  FinishLoop finishLoop;
};

void ConvWeightGradient::emit() {
  auto type = cast<RankedTensorType>(result.getType());
  int64_t size = type.getDimSize(type.getRank() - 2), lanes = kernel.target.vectorWidth;
  int64_t outputs = std::max<int64_t>(shape.groupOutputs() / lanes, 1);
  Tile tile = chooseWeightTile(size, outputs);
  int64_t taps[] = {shape.groups, shape.rows.kernel, shape.columns.kernel};
  kernel.loopNest(taps, [&](ArrayRef<Index> tap) {
    kernel.loopTiles(size, tile.rows, 1, [&](Index first, int64_t inputs, int64_t) {
      kernel.loopTiles(shape.groupOutputs(), tile.columns, lanes,
                       [&](Index output, int64_t outputs, int64_t lanes) {
                         emitTile({tap[1], tap[2], tap[0], first, output, inputs, outputs, lanes});
                       });
    });
  });
}

/// The tile of `inputs` x `outputs` vectors that fits into registers: sums, inputs, and what is
/// loaded together of the gradient.
Tile ConvWeightGradient::chooseWeightTile(int64_t inputs, int64_t outputs) {
  // An int8 input is loaded, centred, moved and converted. Several gradients are one load.
  double inputCost = scale ? 4 : 1;
  double outputCost = kernel.target.hasLoadMultiple() ? 1.0 / loadedTogether : 1;
  auto fits = [&](const Tile &tile) {
    constexpr int64_t registers = 31;
    return kernel.target.vectorWidth > 1 ||
           tile.rows * (tile.columns + 1) + std::min(tile.columns, loadedTogether) <= registers;
  };
  int64_t accumulators = kernel.target.floatAccumulators();
  Tile tile = chooseTile(inputs, outputs, accumulators, inputCost, outputCost);
  while (!fits(tile))
    tile = chooseTile(inputs, outputs, --accumulators, inputCost, outputCost);
  return tile;
}

/// f32(x - zero point).
Value ConvWeightGradient::loadInput(Pointer pointer) {
  OpBuilder &builder = kernel.builder;
  if (!scale)
    return loadAt(kernel, builder.getF32Type(), pointer);
  Value stored = loadAt(kernel, builder.getI8Type(), pointer);
  Value x = arith::ExtSIOp::create(builder, kernel.loc, builder.getI32Type(), stored);
  if (zeroPoint)
    x = arith::SubIOp::create(builder, kernel.loc, x, kernel.i32(zeroPoint));
  return kernel.toFloat(x);
}

SmallVector<Value> ConvWeightGradient::addPixel(const WeightTile &tile, Value &gradientPointer,
                                                Value inputPointer, int64_t pixel,
                                                ArrayRef<Value> sums) {
  SmallVector<Value> inputs, next(sums);
  for (int64_t c = 0; c < tile.inputs; ++c) {
    Pointer place(inputPointer, (pixel * shape.inputChannels + c) * inputBytes());
    inputs.push_back(kernel.splat(loadInput(place), tile.lanes));
  }
  int64_t rowBytes = shape.outputChannels * int64_t(sizeof(float));
  loadRow(kernel, gradientPointer, tile.outputs, tile.lanes, rowBytes,
          [&](int64_t output, Value g) {
            for (int64_t c = 0; c < tile.inputs; ++c) {
              Value &sum = next[c * tile.outputs + output];
              sum = kernel.multiplyAdd(inputs[c], g, sum);
            }
          });
  return next;
}

/// Of a window that is one pixel: all pixels are one row.
SmallVector<Value> ConvWeightGradient::accumulatePixels(const WeightTile &tile) {
  int64_t pixels = shape.columns.input;
  int64_t unroll = pixels % 4 == 0 ? 4 : pixels % 2 == 0 ? 2 : 1;
  Pointer firstGradient = getPointer(kernel, gradient, getOutputChannel(tile));
  SmallVector<Value> pointers{
      materialize(kernel, firstGradient),
      materialize(kernel, getPointer(kernel, input, getInputChannel(tile))),
  };
  SmallVector<Value> sums(tile.inputs * tile.outputs, kernel.f32(0, tile.lanes));
  Value end = getEnd(kernel, firstGradient, pixels * shape.outputChannels * int64_t(sizeof(float)));
  return loopPointers(
      kernel, end, pointers, sums, [&](MutableArrayRef<Value> pointers, ArrayRef<Value> carried) {
        SmallVector<Value> next(carried);
        for (int64_t pixel = 0; pixel < unroll; ++pixel)
          next = addPixel(tile, pointers[0], pointers[1], pixel, next);
        pointers[1] =
            materialize(kernel, Pointer(pointers[1], unroll * shape.inputChannels * inputBytes()));
        return next;
      });
}

SmallVector<Value> ConvWeightGradient::accumulateRows(const WeightTile &tile) {
  const WindowParameters &rows = shape.rows, &columns = shape.columns;
  auto [rowBegin, rowEnd] = emitOutputs(kernel, rows, tile.row);
  auto [columnBegin, columnEnd] = emitOutputs(kernel, columns, tile.column);
  Index y0 = kernel.mul(tile.row, rows.dilation) + -rows.before;
  Index x0 = kernel.mul(tile.column, columns.dilation) + -columns.before;
  Index firstInput = kernel.add(kernel.mul(columnBegin, columns.stride), x0);
  auto overRow = [&](Index image, Index row, ArrayRef<Value> sums) {
    Index y = kernel.add(kernel.mul(row, rows.stride), y0);
    Index inputLine = kernel.mul(kernel.add(kernel.mul(image, rows.input), y), columns.input);
    Index line = kernel.mul(kernel.add(kernel.mul(image, rows.output), row), columns.output);
    Index x = kernel.mul(kernel.add(inputLine, firstInput), shape.inputChannels);
    Index g = kernel.mul(kernel.add(line, columnBegin), shape.outputChannels);
    SmallVector<Value> carried{
        materialize(kernel, getPointer(kernel, gradient, kernel.add(g, getOutputChannel(tile)))),
        materialize(kernel, getPointer(kernel, input, kernel.add(x, getInputChannel(tile))))};
    llvm::append_range(carried, sums);
    carried = kernel.loop(columnBegin, columnEnd, 1, carried, [&](Index, ArrayRef<Value> carried) {
      Value g = carried[0];
      SmallVector<Value> next = addPixel(tile, g, carried[1], 0, carried.drop_front(2));
      Pointer x(carried[1], columns.stride * shape.inputChannels * inputBytes());
      next.insert(next.begin(), {g, materialize(kernel, x)});
      return next;
    });
    return SmallVector<Value>(ArrayRef(carried).drop_front(2));
  };
  SmallVector<Value> sums(tile.inputs * tile.outputs, kernel.f32(0, tile.lanes));
  return kernel.loop(0, shape.batch, 1, sums, [&](Index image, ArrayRef<Value> carried) {
    return kernel.loop(rowBegin, rowEnd, 1, carried, [&](Index row, ArrayRef<Value> carried) {
      return overRow(image, row, carried);
    });
  });
}

void ConvWeightGradient::emitTile(const WeightTile &tile) {
  auto type = cast<RankedTensorType>(result.getType());
  auto finish = [&](Index row, Index column, Value sum) {
    if (scale)
      sum = arith::MulFOp::create(kernel.builder, kernel.loc, kernel.splat(scale, tile.lanes), sum);
    Index channel = kernel.add(getOutputChannel(tile), kernel.mul(column, tile.lanes));
    SmallVector<Index> indices{kernel.add(tile.first, row), channel};
    if (type.getRank() == 4)
      indices.insert(indices.begin(), {tile.row, tile.column});
    Index linear = kernel.linearize(indices, type.getShape());
    kernel.finish(result, sum, {linear, channel, indices, tile.lanes});
  };
  finishLoop.run(shape.isPointwise() ? accumulatePixels(tile) : accumulateRows(tile), tile.outputs,
                 finish);
}

template <typename OpT> class ConvWeightGradientFamily : public OpFamily<OpT> {
  void emit(OpT op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    ConvWeightGradient(kernel, shape, op.getInput(), op.getGradient(), op.getResult(),
                       op.getOffset())
        .emit();
  }
  Visits getVisits(Operation *root) const override { return Visits::Once; }
};

} // namespace

void tte::addConvWeightGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<ConvWeightGradientFamily<Conv2DWeightGradOp>>());
  families.push_back(std::make_unique<ConvWeightGradientFamily<DenseWeightGradOp>>());
}
