// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of 1x1 convolutions and dense layers with respect to their weight: a tile of input x
// output channels accumulates outer products over all pixels. What follows (scaling, the update) is
// applied to the finished tile in registers.
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "../Pointers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

class PointwiseWeightGradient {
public:
  PointwiseWeightGradient(KernelEmitter &kernel, const ConvShape &shape, Value input,
                          Value gradient, Value result, int64_t offset)
      : kernel(kernel), shape(shape), input(kernel.bufferOf(input)),
        gradient(kernel.bufferOf(gradient)), result(result), offset(offset),
        zeroPoint(getZeroPoint(input.getType())) {
    if (quant::QuantizedType type = getQuantizedElement(input.getType()))
      scale = kernel.addTableScalar(float(getScale(type, 0)));
  }

  void emit();

private:
  /// `inputs` input channels from `first` on, and `outputs` vectors of `lanes` output channels.
  struct WeightTile {
    Index first, output;
    int64_t inputs, outputs, lanes;
  };

  void emitTile(const WeightTile &tile);
  SmallVector<Value> accumulate(const WeightTile &tile);
  SmallVector<Value> addPixel(const WeightTile &tile, Value &gradientPointer, Value inputPointer,
                              int64_t pixel, ArrayRef<Value> sums);
  Value loadInput(Pointer pointer);
  int64_t inputBytes() const { return scale ? 1 : sizeof(float); }

  KernelEmitter &kernel;
  const ConvShape &shape;
  Value input, gradient, result;
  int64_t offset, zeroPoint;
  Value scale;
};

void PointwiseWeightGradient::emit() {
  auto type = cast<RankedTensorType>(result.getType());
  int64_t size = type.getDimSize(type.getRank() - 2), lanes = kernel.target.vectorWidth;
  int64_t outputs = std::max<int64_t>(shape.outputChannels / lanes, 1);
  // An int8 input is loaded, centred, moved and converted. Several gradients are one load.
  double inputCost = scale ? 4 : 1;
  double outputCost = kernel.target.hasLoadMultiple() ? 1.0 / loadedTogether : 1;
  Tile tile = chooseTile(size, outputs, kernel.target.floatAccumulators(), inputCost, outputCost);
  kernel.loopTiles(size, tile.rows, 1, [&](Index first, int64_t inputs, int64_t) {
    kernel.loopTiles(shape.outputChannels, tile.columns, lanes,
                     [&](Index output, int64_t outputs, int64_t lanes) {
                       emitTile({first, output, inputs, outputs, lanes});
                     });
  });
}

/// f32(x - zero point).
Value PointwiseWeightGradient::loadInput(Pointer pointer) {
  OpBuilder &builder = kernel.builder;
  if (!scale)
    return loadAt(kernel, builder.getF32Type(), pointer);
  Value stored = loadAt(kernel, builder.getI8Type(), pointer);
  Value x = arith::ExtSIOp::create(builder, kernel.loc, builder.getI32Type(), stored);
  if (zeroPoint)
    x = arith::SubIOp::create(builder, kernel.loc, x, kernel.i32(zeroPoint));
  return kernel.toFloat(x);
}

SmallVector<Value> PointwiseWeightGradient::addPixel(const WeightTile &tile, Value &gradientPointer,
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

SmallVector<Value> PointwiseWeightGradient::accumulate(const WeightTile &tile) {
  int64_t pixels = shape.columns.input;
  int64_t unroll = pixels % 4 == 0 ? 4 : pixels % 2 == 0 ? 2 : 1;
  Pointer firstGradient = getPointer(kernel, gradient, tile.output);
  SmallVector<Value> pointers{
      materialize(kernel, firstGradient),
      materialize(kernel, getPointer(kernel, input, tile.first + offset)),
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

void PointwiseWeightGradient::emitTile(const WeightTile &tile) {
  SmallVector<Value> sums = accumulate(tile);
  auto type = cast<RankedTensorType>(result.getType());
  for (int64_t c = 0; c < tile.inputs; ++c)
    for (int64_t o = 0; o < tile.outputs; ++o) {
      Value sum = sums[c * tile.outputs + o];
      if (scale)
        sum =
            arith::MulFOp::create(kernel.builder, kernel.loc, kernel.splat(scale, tile.lanes), sum);
      Index channel = tile.output + o * tile.lanes;
      SmallVector<Index> indices{tile.first + c, channel};
      if (type.getRank() == 4)
        indices.insert(indices.begin(), {0, 0});
      Index linear = kernel.linearize(indices, type.getShape());
      kernel.finish(result, sum, {linear, channel, indices, tile.lanes});
    }
}

template <typename OpT> class PointwiseWeightGradientFamily : public OpFamily<OpT> {
  bool matches(Operation *root) const override {
    auto op = dyn_cast<OpT>(root);
    if (!op)
      return false;
    ConvShape shape = getConvShape(op);
    return shape.groups == 1 && shape.isPointwise();
  }
  void emit(OpT op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    PointwiseWeightGradient(kernel, shape, op.getInput(), op.getGradient(), op.getResult(),
                            op.getOffset())
        .emit();
  }
  Visits getVisits(Operation *root) const override { return Visits::Once; }
};

} // namespace

void tte::addPointwiseWeightGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<PointwiseWeightGradientFamily<Conv2DWeightGradOp>>());
  families.push_back(std::make_unique<PointwiseWeightGradientFamily<DenseWeightGradOp>>());
}
