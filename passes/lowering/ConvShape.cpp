// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ConvShape.h"

using namespace mlir;
using namespace tte;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// A convolution without neighbours treats its image as one row of pixels.
static ConvShape flattenPointwise(ConvShape shape) {
  auto isPointwise = [](const WindowParameters &window) {
    return window.kernel == 1 && window.stride == 1 && window.input == window.output;
  };
  if (!isPointwise(shape.rows) || !isPointwise(shape.columns))
    return shape;
  int64_t pixels = shape.batch * shape.rows.output * shape.columns.output;
  shape.batch = 1;
  shape.rows = {1, 1, 1, 1, 0, 1};
  shape.columns = {pixels, pixels, 1, 1, 0, 1};
  return shape;
}

template <typename OpT>
static ConvShape makeConvShape(OpT op, RankedTensorType input, RankedTensorType output,
                               RankedTensorType weight) {
  ConvShape shape;
  shape.batch = input.getDimSize(0);
  shape.inputChannels = input.getDimSize(3);
  shape.outputChannels = output.getDimSize(3);
  shape.groups = op.getGroups();
  ArrayRef<int64_t> padding = op.getPadding();
  shape.rows = {input.getDimSize(1), output.getDimSize(1), weight.getDimSize(0),
                op.getStrides()[0],  padding[0],           op.getDilations()[0]};
  shape.columns = {input.getDimSize(2), output.getDimSize(2), weight.getDimSize(1),
                   op.getStrides()[1],  padding[2],           op.getDilations()[1]};
  return flattenPointwise(shape);
}

static ConvShape makeDenseShape(RankedTensorType input, RankedTensorType output) {
  ConvShape shape;
  shape.inputChannels = input.getDimSize(1);
  shape.outputChannels = output.getDimSize(1);
  shape.columns.input = shape.columns.output = input.getDimSize(0);
  return shape;
}

ConvShape tte::getConvShape(Conv2DOp op) {
  return makeConvShape(op, typeOf(op.getInput()), typeOf(op.getResult()),
                       typeOf(op.getWeights().front()));
}

ConvShape tte::getConvShape(DenseOp op) {
  return makeDenseShape(typeOf(op.getInput()), typeOf(op.getResult()));
}

ConvShape tte::getConvShape(Conv2DInputGradOp op) {
  return makeConvShape(op, typeOf(op.getResult()), typeOf(op.getGradient()),
                       typeOf(op.getWeights().front()));
}

ConvShape tte::getConvShape(DenseInputGradOp op) {
  return makeDenseShape(typeOf(op.getResult()), typeOf(op.getGradient()));
}

ConvShape tte::getConvShape(Conv2DWeightGradOp op) {
  return makeConvShape(op, typeOf(op.getInput()), typeOf(op.getGradient()), typeOf(op.getResult()));
}

ConvShape tte::getConvShape(DenseWeightGradOp op) {
  return makeDenseShape(typeOf(op.getInput()), typeOf(op.getGradient()));
}

SmallVector<double> tte::getOutputScales(ValueRange weights, int64_t axis) {
  SmallVector<double> scales, storage;
  for (Value weight : weights) {
    quant::QuantizedType type = getQuantizedElement(weight.getType());
    int64_t channels = typeOf(weight).getShape().back();
    for (int64_t channel = 0; channel < channels; ++channel)
      scales.push_back(getScale(type, channel));
    // Parts along the input channels share their output channels.
    if (axis != typeOf(weight).getRank() - 1)
      break;
  }
  return scales;
}

Tile tte::chooseTile(int64_t rows, int64_t columns, int64_t accumulators, double rowCost,
                     double columnCost) {
  auto costOfStep = [&](int64_t r, int64_t c) {
    return r && c ? r * rowCost + c * columnCost + r * c : 0.0;
  };
  auto costOf = [&](int64_t r, int64_t c) {
    int64_t fullRows = rows / r, restRows = rows % r;
    int64_t fullColumns = columns / c, restColumns = columns % c;
    return fullRows * (fullColumns * costOfStep(r, c) + costOfStep(r, restColumns)) +
           fullColumns * costOfStep(restRows, c) + costOfStep(restRows, restColumns);
  };
  Tile best{1, 1};
  for (int64_t r = 1; r <= std::min(rows, accumulators); ++r)
    for (int64_t c = 1; c <= std::min(columns, accumulators / r); ++c)
      if (costOf(r, c) < costOf(best.rows, best.columns))
        best = {r, c};
  return best;
}
