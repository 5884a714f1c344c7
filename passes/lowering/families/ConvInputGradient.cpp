// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of convolutions (not depthwise) and dense layers with respect to their input, where few
// pixels share a weight or there are groups: a tile of pixels x input channels accumulates over
// taps and output channels, weights scaled as they are loaded.
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "../WeightParts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

class ConvInputGradient {
public:
  ConvInputGradient(KernelEmitter &kernel, const ConvShape &shape, Value gradient,
                    ValueRange weights, int64_t channelAxis, Value result)
      : kernel(kernel), shape(shape), gradient(kernel.bufferOf(gradient)), result(result),
        parts(getWeightParts(kernel, weights, channelAxis)),
        scales(addScaleTable(kernel, weights, channelAxis)) {}

  void emit();

private:
  void emitPhase(const Axis &rows, const Axis &columns);
  void emitPixels(const Axis &rows, const Axis &columns, const Run &run, const WeightPart &part,
                  Index image, Index row, Index column, int64_t pixels, Index group, Index input,
                  int64_t count, int64_t lanes);
  Value loadWeight(const WeightPart &part, Index index, Index output, int64_t lanes);

  KernelEmitter &kernel;
  const ConvShape &shape;
  Value gradient, result;
  SmallVector<WeightPart> parts;
  std::optional<Table> scales;
};

void ConvInputGradient::emit() {
  for (const Axis &rows : getGradientAxes(shape.rows))
    for (const Axis &columns : getGradientAxes(shape.columns))
      emitPhase(rows, columns);
}

void ConvInputGradient::emitPhase(const Axis &rows, const Axis &columns) {
  int64_t lanes = kernel.target.vectorWidth;
  // A weight is loaded, converted twice and scaled; vectors collect lanes of separate rows.
  double weightCost = lanes == 1 ? (scales ? 4 : 1) : 1.5 * lanes;
  for (const WeightPart &part : parts) {
    int64_t channels = std::max<int64_t>(part.size / lanes, 1);
    // A weight that serves one pixel is as much work in any tile: the small one is less code.
    int64_t accumulators = columns.count == 1 ? 4 : kernel.target.floatAccumulators();
    Tile tile = chooseTile(columns.count, channels, accumulators, 1, weightCost);
    kernel.loop(0, shape.groups, 1, [&](Index group) {
      kernel.loopTiles(part.size, tile.columns, lanes,
                       [&](Index input, int64_t count, int64_t lanes) {
                         kernel.loop(0, shape.batch, 1, [&](Index image) {
                           kernel.loop(0, rows.count, 1, [&](Index row) {
                             for (const Run &run : getRuns(columns))
                               kernel.loopTiles(run.end - run.begin, tile.rows, 1,
                                                [&](Index column, int64_t pixels, int64_t) {
                                                  emitPixels(rows, columns, run, part, image, row,
                                                             column + run.begin, pixels, group,
                                                             input, count, lanes);
                                                });
                           });
                         });
                       });
    });
  }
}

/// f32(s_w[o]) * f32(w[c][o]) for `lanes` input channels c.
Value ConvInputGradient::loadWeight(const WeightPart &part, Index index, Index output,
                                    int64_t lanes) {
  Value weight = kernel.loadStrided(part.buffer, index, shape.outputChannels, lanes);
  if (!scales)
    return weight;
  Value scale = kernel.splat(kernel.loadTable(*scales, output), lanes);
  return arith::MulFOp::create(kernel.builder, kernel.loc, kernel.toFloat(weight), scale);
}

void ConvInputGradient::emitPixels(const Axis &rows, const Axis &columns, const Run &run,
                                   const WeightPart &part, Index image, Index row, Index column,
                                   int64_t pixels, Index group, Index input, int64_t count,
                                   int64_t lanes) {
  Index firstOutput = kernel.mul(group, shape.groupOutputs());
  SmallVector<Value> sums(pixels * count, kernel.f32(0, lanes));
  auto [tapBegin, tapEnd] = rows.emitTaps(kernel, row);
  sums = kernel.loop(tapBegin, tapEnd, 1, sums, [&](Index tap, ArrayRef<Value> carried) {
    Index y = kernel.add(row, kernel.mul(tap, rows.offsetStep) + rows.firstOffset);
    Index line =
        kernel.mul(kernel.add(kernel.mul(image, shape.rows.output), y), shape.columns.output);
    Index kernelRow =
        kernel.mul(kernel.mul(tap, rows.tapStep) + rows.firstTap, shape.columns.kernel);
    SmallVector<Value> values(carried);
    for (int64_t t = run.tapBegin; t < run.tapEnd; ++t) {
      Index pixel = kernel.add(
          kernel.mul(kernel.add(line, column) + columns.offsetOf(t), shape.outputChannels),
          firstOutput);
      Index position = kernelRow + (columns.firstTap + t * columns.tapStep);
      Index weight = kernel.add(
          kernel.mul(kernel.add(kernel.mul(position, part.size), input), shape.outputChannels),
          firstOutput);
      values = kernel.loopUnrolled(
          shape.groupOutputs(), kernel.target.getUnroll(shape.groupOutputs()) / 2, values,
          [&](Index output, ArrayRef<Value> carried) {
            SmallVector<Value> factors, next;
            for (int64_t c = 0; c < count; ++c)
              factors.push_back(
                  loadWeight(part, kernel.add(weight, output) + c * lanes * shape.outputChannels,
                             kernel.add(firstOutput, output), lanes));
            for (int64_t p = 0; p < pixels; ++p) {
              Index element = kernel.add(pixel, output) + p * shape.outputChannels;
              Value g = kernel.splat(kernel.load(gradient, element), lanes);
              for (int64_t c = 0; c < count; ++c)
                next.push_back(kernel.multiplyAdd(g, factors[c], carried[p * count + c]));
            }
            return next;
          });
    }
    return values;
  });
  Index y = kernel.mul(row, rows.outputStride) + rows.outputBase;
  Index x = kernel.mul(column, columns.outputStride) + columns.outputBase;
  Index line = kernel.mul(kernel.add(kernel.mul(image, shape.rows.input), y), shape.columns.input);
  Index firstChannel = kernel.add(kernel.mul(group, shape.groupInputs()), input) + part.begin;
  for (int64_t p = 0; p < pixels; ++p) {
    Index pixel = kernel.mul(kernel.add(line, x) + p * columns.outputStride, shape.inputChannels);
    for (int64_t c = 0; c < count; ++c) {
      Index channel = firstChannel + c * lanes;
      kernel.finish(result, sums[p * count + c], {kernel.add(pixel, channel), channel, {}, lanes});
    }
  }
}

template <typename OpT> class ConvInputGradientFamily : public OpFamily<OpT> {
  void emit(OpT op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    ConvInputGradient(kernel, shape, op.getGradient(), op.getWeights(), op.getWeightAxis(),
                      op.getResult())
        .emit();
  }
};

} // namespace

void tte::addConvInputGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<ConvInputGradientFamily<Conv2DInputGradOp>>());
  families.push_back(std::make_unique<ConvInputGradientFamily<DenseInputGradOp>>());
}
