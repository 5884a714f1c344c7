// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of convolutions (not depthwise) and dense layers with respect to their weight: a tile
// of input x output channels accumulates outer products over all pixels. What follows (scaling,
// the update) is applied to the finished tile in registers.
#include "../AffineResult.h"
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

class ConvWeightGradient {
public:
  ConvWeightGradient(KernelEmitter &kernel, const ConvShape &shape, Value input, Value gradient,
                     Value result, int64_t offset, int64_t size)
      : kernel(kernel), shape(shape), input(kernel.bufferOf(input)),
        gradient(kernel.bufferOf(gradient)), result(result), offset(offset), size(size),
        zeroPoint(getZeroPoint(input.getType())) {
    if (quant::QuantizedType type = getQuantizedElement(input.getType()))
      scale = kernel.addTableScalar(float(getScale(type, 0)));
  }

  void emit();

private:
  void emitTap(Index group, Index i, Index j, Tile tile);
  void emitTile(Index group, Index i, Index j, Index first, int64_t inputs, Index output,
                int64_t outputs, int64_t lanes);
  Value loadInput(Index index);

  KernelEmitter &kernel;
  const ConvShape &shape;
  Value input, gradient, result;
  int64_t offset, size, zeroPoint;
  Value scale;
};

void ConvWeightGradient::emit() {
  int64_t lanes = kernel.target.vectorWidth;
  // An int8 input is loaded, centred, moved and converted.
  double inputCost = scale ? 4 : 1;
  int64_t outputs = std::max<int64_t>(shape.groupOutputs() / lanes, 1);
  // The conversion of inputs, and what follows the sum, need registers as well.
  int64_t accumulators = kernel.target.floatAccumulators() - 4;
  Tile tile = chooseTile(size, outputs, accumulators, inputCost, 1);
  kernel.loop(0, shape.groups, 1, [&](Index group) {
    kernel.loop(0, shape.rows.kernel, 1, [&](Index i) {
      kernel.loop(0, shape.columns.kernel, 1, [&](Index j) { emitTap(group, i, j, tile); });
    });
  });
}

void ConvWeightGradient::emitTap(Index group, Index i, Index j, Tile tile) {
  kernel.loopTiles(size, tile.rows, 1, [&](Index first, int64_t inputs, int64_t) {
    kernel.loopTiles(shape.groupOutputs(), tile.columns, kernel.target.vectorWidth,
                     [&](Index output, int64_t outputs, int64_t lanes) {
                       emitTile(group, i, j, first, inputs, output, outputs, lanes);
                     });
  });
}

/// f32(x - zero point).
Value ConvWeightGradient::loadInput(Index index) {
  Value x = loadCentred(kernel, input, index, 1, zeroPoint);
  return scale ? kernel.toFloat(x) : x;
}

void ConvWeightGradient::emitTile(Index group, Index i, Index j, Index first, int64_t inputs,
                                  Index output, int64_t outputs, int64_t lanes) {
  const WindowParameters &rows = shape.rows, &columns = shape.columns;
  Index channel = kernel.add(kernel.mul(group, shape.groupInputs()), first) + offset;
  Index outputChannel = kernel.add(kernel.mul(group, shape.groupOutputs()), output);
  auto [rowBegin, rowEnd] = emitOutputs(kernel, rows, i);
  auto [columnBegin, columnEnd] = emitOutputs(kernel, columns, j);
  SmallVector<Value> sums(inputs * outputs, kernel.f32(0, lanes));
  auto overPixel = [&](Index inputPixel, Index gradientPixel, ArrayRef<Value> carried) {
    SmallVector<Value> factors, next;
    for (int64_t o = 0; o < outputs; ++o)
      factors.push_back(kernel.load(
          gradient,
          kernel.add(kernel.mul(gradientPixel, shape.outputChannels), outputChannel) + o * lanes,
          lanes));
    for (int64_t c = 0; c < inputs; ++c) {
      Index element = kernel.add(kernel.mul(inputPixel, shape.inputChannels), channel) + c;
      Value x = kernel.splat(loadInput(element), lanes);
      for (int64_t o = 0; o < outputs; ++o)
        next.push_back(kernel.multiplyAdd(x, factors[o], carried[c * outputs + o]));
    }
    return next;
  };
  sums = kernel.loop(0, shape.batch, 1, sums, [&](Index image, ArrayRef<Value> carried) {
    return kernel.loop(rowBegin, rowEnd, 1, carried, [&](Index row, ArrayRef<Value> carried) {
      Index y =
          kernel.add(kernel.mul(row, rows.stride), kernel.mul(i, rows.dilation) + -rows.before);
      Index inputLine = kernel.mul(kernel.add(kernel.mul(image, rows.input), y), columns.input);
      Index gradientLine =
          kernel.mul(kernel.add(kernel.mul(image, rows.output), row), columns.output);
      Index shift = kernel.mul(j, columns.dilation) + -columns.before;
      return kernel.loop(
          columnBegin, columnEnd, 1, carried, [&](Index column, ArrayRef<Value> carried) {
            Index x = kernel.add(kernel.mul(column, columns.stride), shift);
            return overPixel(kernel.add(inputLine, x), kernel.add(gradientLine, column), carried);
          });
    });
  });
  for (int64_t c = 0; c < inputs; ++c)
    for (int64_t o = 0; o < outputs; ++o) {
      Value sum = sums[c * outputs + o];
      if (scale)
        sum = arith::MulFOp::create(kernel.builder, kernel.loc, kernel.splat(scale, lanes), sum);
      Index last = outputChannel + o * lanes;
      SmallVector<Index> indices{first + c, last};
      if (cast<RankedTensorType>(result.getType()).getRank() == 4)
        indices.insert(indices.begin(), {i, j});
      Index linear = kernel.linearize(indices, cast<RankedTensorType>(result.getType()).getShape());
      kernel.finish(result, sum, {linear, last, indices, lanes});
    }
}

template <typename OpT> class ConvWeightGradientFamily : public OpFamily<OpT> {
  void emit(OpT op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    auto type = cast<RankedTensorType>(op.getResult().getType());
    ConvWeightGradient(kernel, shape, op.getInput(), op.getGradient(), op.getResult(),
                       op.getOffset(), type.getDimSize(type.getRank() - 2))
        .emit();
  }
};

} // namespace

void tte::addConvWeightGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<ConvWeightGradientFamily<Conv2DWeightGradOp>>());
  families.push_back(std::make_unique<ConvWeightGradientFamily<DenseWeightGradOp>>());
}
