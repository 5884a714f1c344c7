// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Convolution.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tte;
using namespace tte::structured;

using Shape = SmallVector<int64_t>;

static ArrayRef<int64_t> shapeOf(Value tensor) { return typeOf(tensor).getShape(); }

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

template <typename OpT>
static Convolution getConvolution(OpT op, ArrayRef<int64_t> input, ArrayRef<int64_t> weight,
                                  ArrayRef<int64_t> output) {
  return {Shape(input),           Shape(weight),          Shape(output),
          Shape(op.getStrides()), Shape(op.getPadding()), Shape(op.getDilations()),
          int64_t(op.getGroups())};
}

static Shape wholeWeight(WeightedOpInterface op) {
  OperandRange parts = op.getWeightsMutable();
  Shape shape(shapeOf(parts.front()));
  for (Value part : parts.drop_front())
    shape[op.getWeightAxis()] += shapeOf(part)[op.getWeightAxis()];
  return shape;
}

Convolution structured::getConvolution(Conv2DOp op) {
  return ::getConvolution(op, shapeOf(op.getInput()), wholeWeight(op), shapeOf(op.getResult()));
}

Convolution structured::getConvolution(Conv2DInputGradOp op) {
  return ::getConvolution(op, shapeOf(op.getResult()), wholeWeight(op), shapeOf(op.getGradient()));
}

Convolution structured::getConvolution(Conv2DWeightGradOp op) {
  ArrayRef<int64_t> weight = shapeOf(op.getResult());
  Convolution convolution =
      ::getConvolution(op, shapeOf(op.getInput()), weight, shapeOf(op.getGradient()));
  if (op.isDepthwise())
    convolution.groups = weight[3];
  convolution.input[3] = weight[2] * convolution.groups;
  convolution.output[3] = weight[3];
  return convolution;
}

static Convolution getDense(int64_t batch, int64_t inputs, int64_t outputs) {
  return {{batch, 1, 1, inputs}, {1, 1, inputs, outputs}, {batch, 1, 1, outputs}};
}

Convolution structured::getConvolution(DenseOp op) {
  ArrayRef<int64_t> input = shapeOf(op.getInput());
  return getDense(input[0], input[1], shapeOf(op.getResult())[1]);
}

Convolution structured::getConvolution(DenseInputGradOp op) {
  ArrayRef<int64_t> input = shapeOf(op.getResult());
  return getDense(input[0], input[1], shapeOf(op.getGradient())[1]);
}

Convolution structured::getConvolution(DenseWeightGradOp op) {
  ArrayRef<int64_t> weight = shapeOf(op.getResult());
  return getDense(shapeOf(op.getInput())[0], weight[0], weight[1]);
}

//===----------------------------------------------------------------------===//
// Convolution and its transposes
//===----------------------------------------------------------------------===//

/// (..., channels) to (..., groups, channels / groups).
static Shape splitChannels(ArrayRef<int64_t> shape, int64_t groups) {
  Shape split(shape.drop_back());
  split.append({groups, shape.back() / groups});
  return split;
}

static Value splitChannels(LocBuilder &builder, Value tensor, int64_t groups) {
  return reshape(builder, tensor, splitChannels(shapeOf(tensor), groups));
}

static AffineMap getMap(LocBuilder &builder, int64_t loops, ArrayRef<AffineExpr> exprs) {
  return AffineMap::get(loops, 0, exprs, builder.getContext());
}

/// (n, h, w, c) to what windows with that padding read.
static Value padSpace(LocBuilder &builder, Value tensor, TypedAttr value,
                      ArrayRef<int64_t> padding) {
  return pad(builder, tensor, value, {0, padding[0], padding[2], 0},
             {0, padding[1], padding[3], 0});
}

/// Where the window at output (y, x) reads for tap (i, j).
static std::pair<AffineExpr, AffineExpr> read(ArrayRef<int64_t> strides,
                                              ArrayRef<int64_t> dilations, AffineExpr y,
                                              AffineExpr x, AffineExpr i, AffineExpr j) {
  return {y * strides[0] + i * dilations[0], x * strides[1] + j * dilations[1]};
}

/// The sums of products of two operands over the loops that `resultMap` leaves out.
static Value contract(LocBuilder &builder, ArrayRef<int64_t> shape, Type accumulator,
                      AffineMap resultMap, Operand lhs, Operand rhs) {
  auto multiplyAdd = [&](LocBuilder &inside, ValueRange elements) {
    Value a = convert(inside, elements[0], accumulator);
    Value b = convert(inside, elements[1], accumulator);
    return add(inside, elements[2], multiply(inside, a, b));
  };
  return reduce(builder, RankedTensorType::get(shape, accumulator), getNumber(accumulator, 0),
                resultMap, {lhs, rhs}, multiplyAdd);
}

Value structured::convolve(LocBuilder &builder, const Convolution &convolution, Value input,
                           Value weights, Type accumulator) {
  int64_t groups = convolution.groups;
  input = reshape(builder, input, convolution.input);
  weights = reshape(builder, weights, convolution.weight);
  Value padded =
      padSpace(builder, input, getNumber(typeOf(input).getElementType(), 0), convolution.padding);
  AffineExpr n, y, x, g, o, i, j, c;
  bindDims(builder.getContext(), n, y, x, g, o, i, j, c);
  auto [row, column] = read(convolution.strides, convolution.dilations, y, x, i, j);
  auto map = [&](ArrayRef<AffineExpr> exprs) { return getMap(builder, 8, exprs); };
  Shape shape = splitChannels(convolution.output, groups);
  Value sums = contract(builder, shape, accumulator, map({n, y, x, g, o}),
                        {splitChannels(builder, padded, groups), map({n, row, column, g, c})},
                        {splitChannels(builder, weights, groups), map({i, j, c, g, o})});
  return reshape(builder, sums, convolution.output);
}

/// The kernel turned by 180 degrees: tap (i, j) becomes tap (kh - 1 - i, kw - 1 - j).
static Value turnKernel(LocBuilder &builder, Value weights) {
  RankedTensorType type = typeOf(weights);
  if (type.getDimSize(0) == 1 && type.getDimSize(1) == 1)
    return weights;
  return mapElements(builder, type, {}, [&](LocBuilder &inside, ValueRange) -> Value {
    SmallVector<Value> indices;
    for (int64_t d = 0; d < type.getRank(); ++d)
      indices.push_back(linalg::IndexOp::create(inside, d));
    for (int64_t d = 0; d < 2; ++d) {
      Value last = arith::ConstantIndexOp::create(inside, type.getDimSize(d) - 1);
      indices[d] = arith::SubIOp::create(inside, last, indices[d]);
    }
    return tensor::ExtractOp::create(inside, weights, indices);
  });
}

/// Values (n, oh, ow, c) of windows spread so that element (a, b) of the input, with tap (i, j) of
/// the turned kernel, finds the window that reads it by that tap at (a + i * dh, b + j * dw);
/// `border` where there is none.
static Value spreadWindows(LocBuilder &builder, Value windows, TypedAttr border,
                           ArrayRef<int64_t> input, ArrayRef<int64_t> kernel,
                           ArrayRef<int64_t> strides, ArrayRef<int64_t> padding,
                           ArrayRef<int64_t> dilations) {
  Shape low(4, 0), high(4, 0), interior(4, 0);
  for (int d = 0; d < 2; ++d) {
    int64_t reach = (kernel[d] - 1) * dilations[d];
    low[d + 1] = reach - padding[2 * d];
    interior[d + 1] = strides[d] - 1;
    int64_t covered = low[d + 1] + (shapeOf(windows)[d + 1] - 1) * strides[d] + 1;
    high[d + 1] = input[d + 1] + reach - covered;
  }
  return pad(builder, windows, border, low, high, interior);
}

Value structured::transposeToInput(LocBuilder &builder, const Convolution &convolution,
                                   Value gradient, Value weights) {
  int64_t groups = convolution.groups;
  Type f32 = builder.getF32Type();
  gradient = reshape(builder, gradient, convolution.output);
  weights = turnKernel(builder, reshape(builder, weights, convolution.weight));
  Value spread =
      spreadWindows(builder, gradient, getNumber(f32, 0), convolution.input, convolution.weight,
                    convolution.strides, convolution.padding, convolution.dilations);
  AffineExpr n, a, b, g, c, i, j, o;
  bindDims(builder.getContext(), n, a, b, g, c, i, j, o);
  auto [row, column] = read({1, 1}, convolution.dilations, a, b, i, j);
  auto map = [&](ArrayRef<AffineExpr> exprs) { return getMap(builder, 8, exprs); };
  Shape shape = splitChannels(convolution.input, groups);
  Value sums = contract(builder, shape, f32, map({n, a, b, g, c}),
                        {splitChannels(builder, spread, groups), map({n, row, column, g, o})},
                        {splitChannels(builder, weights, groups), map({i, j, c, g, o})});
  return reshape(builder, sums, convolution.input);
}

Value structured::transposeToWeight(LocBuilder &builder, const Convolution &convolution,
                                    Value input, Value gradient) {
  int64_t groups = convolution.groups;
  Type f32 = builder.getF32Type();
  input = reshape(builder, input, convolution.input);
  gradient = reshape(builder, gradient, convolution.output);
  Value padded = padSpace(builder, input, getNumber(f32, 0), convolution.padding);
  AffineExpr i, j, c, g, o, n, y, x;
  bindDims(builder.getContext(), i, j, c, g, o, n, y, x);
  auto [row, column] = read(convolution.strides, convolution.dilations, y, x, i, j);
  auto map = [&](ArrayRef<AffineExpr> exprs) { return getMap(builder, 8, exprs); };
  Shape shape = splitChannels(convolution.weight, groups);
  Value sums = contract(builder, shape, f32, map({i, j, c, g, o}),
                        {splitChannels(builder, padded, groups), map({n, row, column, g, c})},
                        {splitChannels(builder, gradient, groups), map({n, y, x, g, o})});
  return reshape(builder, sums, convolution.weight);
}

//===----------------------------------------------------------------------===//
// Pools
//===----------------------------------------------------------------------===//

static constexpr int64_t undilated[] = {1, 1};

Value structured::poolWindows(LocBuilder &builder, const Pool &pool, Value input, TypedAttr border,
                              ValueRange others, TypedAttr initial, Body body) {
  AffineExpr n, y, x, c, i, j;
  bindDims(builder.getContext(), n, y, x, c, i, j);
  auto [row, column] = read(pool.strides, undilated, y, x, i, j);
  auto map = [&](ArrayRef<AffineExpr> exprs) { return getMap(builder, 6, exprs); };
  Value padded = padSpace(builder, input, border, pool.padding);
  Type element = initial.getType();
  // Only its shape matters: no other operand says how many taps there are.
  Value kernel = tensor::EmptyOp::create(builder, pool.kernel, element);
  SmallVector<Operand> in{{padded, map({n, row, column, c})}};
  for (Value other : others)
    in.push_back({other, map({n, y, x, c})});
  in.push_back({kernel, map({i, j})});
  return reduce(builder, RankedTensorType::get(pool.output, element), initial, map({n, y, x, c}),
                in, [&](LocBuilder &inside, ValueRange elements) {
                  SmallVector<Value> used(elements);
                  used.erase(used.end() - 2);
                  return body(inside, used);
                });
}

Value structured::getTap(LocBuilder &builder, const Pool &pool) {
  Type i32 = builder.getI32Type();
  Value row =
      multiply(builder, getIndex(builder, 4, i32), getConstant(builder, i32, pool.kernel[1]));
  return add(builder, row, getIndex(builder, 5, i32));
}

Value structured::gatherFromWindows(LocBuilder &builder, const Pool &pool, ValueRange windows,
                                    ArrayRef<TypedAttr> borders, Body share) {
  SmallVector<Value> spread;
  for (auto [values, border] : llvm::zip(windows, borders))
    spread.push_back(spreadWindows(builder, values, border, pool.input, pool.kernel, pool.strides,
                                   pool.padding, undilated));
  AffineExpr n, a, b, c, i, j;
  bindDims(builder.getContext(), n, a, b, c, i, j);
  auto map = [&](ArrayRef<AffineExpr> exprs) { return getMap(builder, 6, exprs); };
  auto [row, column] = read(undilated, undilated, a, b, i, j);
  SmallVector<Operand> in;
  for (Value values : spread)
    in.push_back({values, map({n, row, column, c})});
  in.push_back({tensor::EmptyOp::create(builder, pool.kernel, builder.getF32Type()), map({i, j})});
  auto accumulate = [&](LocBuilder &inside, ValueRange elements) {
    SmallVector<Value> of(elements.drop_back(2));
    Value last = getConstant(inside, inside.getI32Type(), pool.kernel[0] * pool.kernel[1] - 1);
    of.push_back(arith::SubIOp::create(inside, last, getTap(inside, pool)));
    return add(inside, elements.back(), share(inside, of));
  };
  Type f32 = builder.getF32Type();
  return reduce(builder, RankedTensorType::get(pool.input, f32), getNumber(f32, 0),
                map({n, a, b, c}), in, accumulate);
}

SmallVector<int32_t> structured::countTaps(const Pool &pool) {
  auto count = [&](int64_t d, int64_t output) {
    int64_t first = output * pool.strides[d] - pool.padding[2 * d];
    return std::min(first + pool.kernel[d], pool.input[d + 1]) - std::max<int64_t>(first, 0);
  };
  SmallVector<int32_t> counts;
  for (int64_t y = 0; y < pool.output[1]; ++y)
    for (int64_t x = 0; x < pool.output[2]; ++x)
      counts.push_back(count(0, y) * count(1, x));
  return counts;
}

Operand structured::perWindow(Value sizes) {
  MLIRContext *context = sizes.getContext();
  AffineExpr n, y, x, c;
  bindDims(context, n, y, x, c);
  return {sizes, AffineMap::get(4, 0, {y, x}, context)};
}
