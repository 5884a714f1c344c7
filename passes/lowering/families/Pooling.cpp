// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Average and maximum pooling and their gradients: windows cut to the image at run time.
#include "../Elementwise.h"
#include "../KernelFamily.h"
#include "../Window.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace tte;

namespace {

/// Elements [begin, end) of the input along one axis.
struct Span {
  Index begin, end;
};

/// Sizes of a pool over an input (batch, rows.input, columns.input, channels).
struct PoolShape {
  int64_t batch, channels;
  WindowParameters rows, columns;

  template <typename OpT> static PoolShape get(OpT op, Type inputType, Type outputType) {
    auto input = cast<RankedTensorType>(inputType), output = cast<RankedTensorType>(outputType);
    ArrayRef<int64_t> kernel = op.getKernel(), strides = op.getStrides(), padding = op.getPadding();
    return {input.getDimSize(0),
            input.getDimSize(3),
            {input.getDimSize(1), output.getDimSize(1), kernel[0], strides[0], padding[0], 1},
            {input.getDimSize(2), output.getDimSize(2), kernel[1], strides[1], padding[2], 1}};
  }

  Index inputElement(KernelBuilder &kernel, Index image, Index y, Index x, Index channel) const {
    return kernel.linearize({image, y, x, channel}, {batch, rows.input, columns.input, channels});
  }
  Index outputElement(KernelBuilder &kernel, Index image, Index y, Index x, Index channel) const {
    return kernel.linearize({image, y, x, channel}, {batch, rows.output, columns.output, channels});
  }
};

/// What window `output` covers of the input.
Span emitCovered(KernelBuilder &kernel, const WindowParameters &window, Index output) {
  Index begin = kernel.mul(output, window.stride) + -window.before;
  if (getForwardAxis(window).isInside())
    return {begin, begin + window.kernel};
  return {kernel.max(begin, 0), kernel.min(begin + window.kernel, window.input)};
}

/// The windows that cover element `input`.
Span emitWindows(KernelBuilder &kernel, const WindowParameters &window, Index input) {
  Index last = input + window.before;
  Index begin = kernel.ceilDiv(last + (1 - window.kernel), window.stride);
  Index end = kernel.floorDiv(last, window.stride) + 1;
  return {kernel.max(begin, 0), kernel.min(end, window.output)};
}

/// The number of elements that a window covers.
Value emitCount(KernelBuilder &kernel, Span rows, Span columns) {
  Index count =
      kernel.mul(kernel.sub(rows.end, rows.begin), kernel.sub(columns.end, columns.begin));
  return arith::IndexCastOp::create(kernel.builder, kernel.loc, kernel.builder.getI32Type(),
                                    kernel.materialize(count));
}

/// Calls `body` for each output of a pool with the window that it covers.
void loopOutputs(KernelEmitter &kernel, const PoolShape &shape, int64_t lanes,
                 function_ref<void(Index image, Span rows, Span columns, Index channel,
                                   const Position &position)>
                     body) {
  kernel.loopNest({shape.batch, shape.rows.output, shape.columns.output}, [&](ArrayRef<Index> at) {
    Span rows = emitCovered(kernel, shape.rows, at[1]);
    Span columns = emitCovered(kernel, shape.columns, at[2]);
    kernel.loopLanes(shape.channels, lanes, [&](Index channel, int64_t lanes) {
      Index element = shape.outputElement(kernel, at[0], at[1], at[2], channel);
      body(at[0], rows, columns, channel, {element, channel, {}, lanes});
    });
  });
}

/// Carries values over the elements of a box in row-major order.
SmallVector<Value>
loopBox(KernelBuilder &kernel, Span rows, Span columns, ArrayRef<Value> init,
        function_ref<SmallVector<Value>(Index y, Index x, ArrayRef<Value>)> body) {
  return kernel.loop(rows.begin, rows.end, 1, init, [&](Index y, ArrayRef<Value> carried) {
    return kernel.loop(columns.begin, columns.end, 1, carried,
                       [&](Index x, ArrayRef<Value> carried) { return body(y, x, carried); });
  });
}

/// The lag of a kernel that finishes pixels in ascending order, channel by channel, where each
/// output reads its channel of input pixels from `firstRead(pixel)` on.
int64_t getPixelLag(int64_t pixels, int64_t channels, int64_t elementBytes,
                    function_ref<int64_t(int64_t)> firstRead) {
  std::optional<int64_t> lag, laterRead;
  for (int64_t pixel = pixels - 1; pixel >= 0; --pixel) {
    int64_t read = firstRead(pixel);
    // Some channels are written, those after them are still read.
    if (channels > 1)
      lag = std::max(lag.value_or(pixel - read), pixel - read);
    if (laterRead)
      lag = std::max(lag.value_or(pixel + 1 - *laterRead), pixel + 1 - *laterRead);
    laterRead = std::min(laterRead.value_or(read), read);
  }
  return lag.value_or(0) * channels * elementBytes;
}

/// How the result of a pool lies over its input.
Overlap getForwardOverlap(const PoolShape &shape, int64_t elementBytes) {
  auto firstRead = [](const WindowParameters &window, int64_t output) {
    return std::max<int64_t>(output * window.stride - window.before, 0);
  };
  int64_t pixels = shape.rows.output * shape.columns.output;
  auto firstPixel = [&](int64_t pixel) {
    int64_t y = firstRead(shape.rows, pixel % pixels / shape.columns.output);
    int64_t x = firstRead(shape.columns, pixel % shape.columns.output);
    return (pixel / pixels * shape.rows.input + y) * shape.columns.input + x;
  };
  return {Overlap::Traversal::Ascending,
          getPixelLag(shape.batch * pixels, shape.channels, elementBytes, firstPixel)};
}

/// How the gradient of a pool's input lies over that of its output.
Overlap getGradientOverlap(const PoolShape &shape, int64_t elementBytes) {
  auto firstRead = [](const WindowParameters &window, int64_t input) {
    int64_t first =
        llvm::divideCeilSigned(input + window.before + 1 - window.kernel, window.stride);
    return std::max<int64_t>(first, 0);
  };
  int64_t pixels = shape.rows.input * shape.columns.input;
  auto firstPixel = [&](int64_t pixel) {
    int64_t y = firstRead(shape.rows, pixel % pixels / shape.columns.input);
    int64_t x = firstRead(shape.columns, pixel % shape.columns.input);
    return (pixel / pixels * shape.rows.output + y) * shape.columns.output + x;
  };
  return {Overlap::Traversal::Ascending,
          getPixelLag(shape.batch * pixels, shape.channels, elementBytes, firstPixel)};
}

class AveragePoolFamily : public OpFamily<AvgPool2DOp> {
  void emit(AvgPool2DOp op, KernelEmitter &kernel) const override {
    PoolShape shape = PoolShape::get(op, op.getInput().getType(), op.getType());
    bool isQuantized = bool(getQuantizedElement(op.getType()));
    Value input = kernel.bufferOf(op.getInput());
    OpBuilder &builder = kernel.builder;
    loopOutputs(
        kernel, shape, kernel.target.vectorWidth,
        [&](Index image, Span rows, Span columns, Index channel, const Position &position) {
          int64_t lanes = position.lanes;
          Value zero = isQuantized ? kernel.i32(0, lanes) : kernel.f32(0, lanes);
          Value sum =
              loopBox(kernel, rows, columns, zero,
                      [&](Index y, Index x, ArrayRef<Value> carried) -> SmallVector<Value> {
                        Value element = kernel.load(
                            input, shape.inputElement(kernel, image, y, x, channel), lanes);
                        if (isQuantized)
                          return {arith::AddIOp::create(builder, kernel.loc, carried[0], element)};
                        return {arith::AddFOp::create(builder, kernel.loc, carried[0], element)};
                      })
                  .front();
          Value count = kernel.splat(emitCount(kernel, rows, columns), lanes);
          Value mean;
          if (isQuantized) {
            // floor((2 S + count) / (2 count))
            Value two = kernel.i32(2, lanes);
            Value numerator = kernel.multiplyAdd(sum, two, count);
            Value denominator = arith::MulIOp::create(builder, kernel.loc, count, two);
            mean = arith::FloorDivSIOp::create(builder, kernel.loc, numerator, denominator);
          } else {
            mean = arith::DivFOp::create(builder, kernel.loc, sum, kernel.toFloat(count));
          }
          kernel.finish(op.getResult(), mean, position);
        });
  }
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    auto op = cast<AvgPool2DOp>(root);
    return getForwardOverlap(PoolShape::get(op, op.getInput().getType(), op.getType()),
                             getElementBytes(op.getInput()));
  }
  Visits getVisits(Operation *root) const override { return Visits::Ascending; }
};

class MaxPoolFamily : public OpFamily<MaxPool2DOp> {
  void emit(MaxPool2DOp op, KernelEmitter &kernel) const override {
    PoolShape shape = PoolShape::get(op, op.getInput().getType(), op.getType());
    bool isQuantized = bool(getQuantizedElement(op.getType()));
    Value input = kernel.bufferOf(op.getInput());
    OpBuilder &builder = kernel.builder;
    loopOutputs(
        kernel, shape, kernel.target.vectorWidth,
        [&](Index image, Span rows, Span columns, Index channel, const Position &position) {
          int64_t lanes = position.lanes;
          Value lowest = isQuantized ? kernel.i32(std::numeric_limits<int8_t>::min(), lanes)
                                     : kernel.f32(-std::numeric_limits<float>::infinity(), lanes);
          Value largest =
              loopBox(kernel, rows, columns, lowest,
                      [&](Index y, Index x, ArrayRef<Value> carried) -> SmallVector<Value> {
                        Value element = kernel.load(
                            input, shape.inputElement(kernel, image, y, x, channel), lanes);
                        if (isQuantized)
                          return {arith::MaxSIOp::create(builder, kernel.loc, carried[0], element)};
                        return {arith::MaxNumFOp::create(builder, kernel.loc, carried[0], element)};
                      })
                  .front();
          kernel.finish(op.getResult(), largest, position);
        });
  }
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    auto op = cast<MaxPool2DOp>(root);
    return getForwardOverlap(PoolShape::get(op, op.getInput().getType(), op.getType()),
                             getElementBytes(op.getInput()));
  }
  Visits getVisits(Operation *root) const override { return Visits::Ascending; }
};

class AveragePoolGradientFamily : public OpFamily<AvgPool2DGradOp> {
  void emit(AvgPool2DGradOp op, KernelEmitter &kernel) const override {
    PoolShape shape = PoolShape::get(op, op.getType(), op.getGradient().getType());
    Value gradient = kernel.bufferOf(op.getGradient());
    kernel.loopNest({shape.batch, shape.rows.input, shape.columns.input}, [&](ArrayRef<Index> at) {
      Span rows = emitWindows(kernel, shape.rows, at[1]);
      Span columns = emitWindows(kernel, shape.columns, at[2]);
      kernel.loopLanes(
          shape.channels, kernel.target.vectorWidth, [&](Index channel, int64_t lanes) {
            Value sum =
                loopBox(kernel, rows, columns, kernel.f32(0, lanes),
                        [&](Index y, Index x, ArrayRef<Value> carried) -> SmallVector<Value> {
                          Value count =
                              kernel.toFloat(emitCount(kernel, emitCovered(kernel, shape.rows, y),
                                                       emitCovered(kernel, shape.columns, x)));
                          Value share = arith::DivFOp::create(
                              kernel.builder, kernel.loc,
                              kernel.load(gradient,
                                          shape.outputElement(kernel, at[0], y, x, channel), lanes),
                              kernel.splat(count, lanes));
                          return {
                              arith::AddFOp::create(kernel.builder, kernel.loc, carried[0], share)};
                        })
                    .front();
            Index element = shape.inputElement(kernel, at[0], at[1], at[2], channel);
            kernel.finish(op.getResult(), sum, {element, channel, {}, lanes});
          });
    });
  }
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    auto op = cast<AvgPool2DGradOp>(root);
    return getGradientOverlap(PoolShape::get(op, op.getType(), op.getGradient().getType()),
                              getElementBytes(op.getGradient()));
  }
  Visits getVisits(Operation *root) const override { return Visits::Ascending; }
};

/// Scatters: clears the result, then adds the gradient of each window to its first maximum.
class MaxPoolGradientFamily : public OpFamily<MaxPool2DGradOp> {
  void emit(MaxPool2DGradOp op, KernelEmitter &kernel) const override {
    PoolShape shape = PoolShape::get(op, op.getType(), op.getGradient().getType());
    bool isQuantized = bool(getQuantizedElement(op.getInput().getType()));
    Value input = kernel.bufferOf(op.getInput()), gradient = kernel.bufferOf(op.getGradient());
    Value output = kernel.getOutput(0);
    OpBuilder &builder = kernel.builder;
    kernel.loop(0, cast<RankedTensorType>(op.getType()).getNumElements(), 1,
                [&](Index element) { kernel.store(kernel.f32(0), output, element); });
    loopOutputs(
        kernel, shape, 1,
        [&](Index image, Span rows, Span columns, Index channel, const Position &position) {
          auto elementAt = [&](Index y, Index x) {
            return shape.inputElement(kernel, image, y, x, channel);
          };
          Value first = kernel.materialize(elementAt(rows.begin, columns.begin));
          SmallVector<Value> largest = loopBox(
              kernel, rows, columns, {kernel.load(input, Index(first)), first},
              [&](Index y, Index x, ArrayRef<Value> carried) -> SmallVector<Value> {
                Value place = kernel.materialize(elementAt(y, x));
                Value value = kernel.load(input, Index(place));
                Value isLarger =
                    isQuantized
                        ? Value(arith::CmpIOp::create(builder, kernel.loc,
                                                      arith::CmpIPredicate::sgt, value, carried[0]))
                        : Value(arith::CmpFOp::create(
                              builder, kernel.loc, arith::CmpFPredicate::OGT, value, carried[0]));
                return {arith::SelectOp::create(builder, kernel.loc, isLarger, value, carried[0]),
                        arith::SelectOp::create(builder, kernel.loc, isLarger, place, carried[1])};
              });
          Index place(largest[1]);
          Value sum = arith::AddFOp::create(builder, kernel.loc, kernel.load(output, place),
                                            kernel.load(gradient, position.linear));
          kernel.store(sum, output, place);
        });
  }
};

} // namespace

void tte::addPoolingFamilies(FamilyList &families) {
  families.push_back(std::make_unique<AveragePoolFamily>());
  families.push_back(std::make_unique<MaxPoolFamily>());
  families.push_back(std::make_unique<AveragePoolGradientFamily>());
  families.push_back(std::make_unique<MaxPoolGradientFamily>());
}
