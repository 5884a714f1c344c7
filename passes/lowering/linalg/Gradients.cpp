// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradients of the network's ops.
#include "Convolution.h"
#include "Grids.h"
#include "Patterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;
using namespace tte::structured;

//===----------------------------------------------------------------------===//
// conv2d and dense
//===----------------------------------------------------------------------===//

template <typename OpT>
static Value lowerInputGrad(LocBuilder &builder, OpT op, typename OpT::Adaptor operands) {
  Value weights =
      getRealWeight(builder, op.getWeights(), operands.getWeights(), op.getWeightAxis());
  Value result = transposeToInput(builder, getConvolution(op), operands.getGradient(), weights);
  return reshape(builder, result, typeOf(op).getShape());
}

/// Channels [offset, offset + size) of a tensor (..., channels).
static Value sliceChannels(LocBuilder &builder, Value tensor, int64_t offset, int64_t size) {
  SmallVector<int64_t> offsets(typeOf(tensor).getRank(), 0), shape(typeOf(tensor).getShape());
  offsets.back() = offset;
  shape.back() = size;
  return slice(builder, tensor, offsets, shape);
}

static bool isDepthwise(Conv2DWeightGradOp op) { return op.isDepthwise(); }
static bool isDepthwise(DenseWeightGradOp) { return false; }

template <typename OpT>
static Value lowerWeightGrad(LocBuilder &builder, OpT op, typename OpT::Adaptor operands) {
  Convolution convolution = getConvolution(op);
  Value input = sliceChannels(builder, operands.getInput(), op.getOffset(), convolution.input[3]);
  Value gradient = operands.getGradient();
  if (isDepthwise(op))
    gradient = sliceChannels(builder, gradient, op.getOffset(), convolution.output[3]);
  Type type = op.getInput().getType();
  input = centre(builder, input, type, builder.getF32Type());
  Value sums = transposeToWeight(builder, convolution, input, gradient);
  if (quant::QuantizedType grid = getQuantizedElement(type))
    sums = scaleBy(builder, sums, grid, 1);
  return reshape(builder, sums, typeOf(op).getShape());
}

static Value lowerBiasGrad(LocBuilder &builder, BiasGradOp op, BiasGradOp::Adaptor operands) {
  RankedTensorType gradient = typeOf(operands.getGradient());
  int64_t channels = gradient.getShape().back();
  Value rows =
      reshape(builder, operands.getGradient(), {gradient.getNumElements() / channels, channels});
  AffineExpr channel, row;
  bindDims(builder.getContext(), channel, row);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(2, 0, exprs, builder.getContext());
  };
  return reduce(builder, typeOf(op), getNumber(builder.getF32Type(), 0), map({channel}),
                {{rows, map({row, channel})}}, [](LocBuilder &inside, ValueRange elements) {
                  return add(inside, elements[1], elements[0]);
                });
}

//===----------------------------------------------------------------------===//
// Pools
//===----------------------------------------------------------------------===//

template <typename OpT> static Pool getPool(OpT op) {
  return {typeOf(op.getResult()).getShape(), typeOf(op.getGradient()).getShape(), op.getKernel(),
          op.getStrides(), op.getPadding()};
}

static Value lowerAvgPoolGrad(LocBuilder &builder, AvgPool2DGradOp op,
                              AvgPool2DGradOp::Adaptor operands) {
  Pool pool = getPool(op);
  Value counts = getConstantTensor(builder, pool.output.slice(1, 2), countTaps(pool));
  Value shares =
      mapElements(builder, typeOf(op.getGradient()), {operands.getGradient(), perWindow(counts)},
                  [](LocBuilder &inside, ValueRange elements) -> Value {
                    Value count = convert(inside, elements[1], inside.getF32Type());
                    return arith::DivFOp::create(inside, elements[0], count);
                  });
  return gatherFromWindows(builder, pool, shares, getNumber(builder.getF32Type(), 0),
                           [](LocBuilder &, ValueRange elements) { return elements[0]; });
}

/// The first tap of each window that holds its maximum, (n, oh, ow, c) i32.
static Value getFirstMaximum(LocBuilder &builder, const Pool &pool, Value input) {
  // Wider than what is stored, so that no element equals the border.
  if (!typeOf(input).getElementType().isF32())
    input = mapElements(builder, typeOf(input).clone(builder.getI32Type()), {input},
                        [](LocBuilder &inside, ValueRange elements) {
                          return convert(inside, elements[0], inside.getI32Type());
                        });
  TypedAttr lowest = getLowest(typeOf(input).getElementType());
  Value maxima = poolWindows(builder, pool, input, lowest, {}, lowest,
                             [](LocBuilder &inside, ValueRange elements) {
                               return maximum(inside, elements[0], elements[1]);
                             });
  TypedAttr none = getNumber(builder.getI32Type(), pool.kernel[0] * pool.kernel[1]);
  return poolWindows(builder, pool, input, lowest, maxima, none,
                     [&](LocBuilder &inside, ValueRange elements) -> Value {
                       Value first =
                           arith::MinSIOp::create(inside, elements[2], getTap(inside, pool));
                       Value isMaximum = isEqual(inside, elements[0], elements[1]);
                       return arith::SelectOp::create(inside, isMaximum, first, elements[2]);
                     });
}

static Value lowerMaxPoolGrad(LocBuilder &builder, MaxPool2DGradOp op,
                              MaxPool2DGradOp::Adaptor operands) {
  Pool pool = getPool(op);
  Value winners = getFirstMaximum(builder, pool, operands.getInput());
  TypedAttr zero = getNumber(builder.getF32Type(), 0);
  TypedAttr none = getNumber(builder.getI32Type(), -1);
  return gatherFromWindows(builder, pool, {operands.getGradient(), winners}, {zero, none},
                           [&](LocBuilder &inside, ValueRange elements) -> Value {
                             Value wins = isEqual(inside, elements[1], elements[2]);
                             return arith::SelectOp::create(
                                 inside, wins, elements[0],
                                 arith::ConstantOp::create(inside, zero));
                           });
}

//===----------------------------------------------------------------------===//
// Clamps
//===----------------------------------------------------------------------===//

static Value keepWhere(LocBuilder &builder, Value condition, Value gradient) {
  Value zero = getConstant(builder, gradient.getType(), 0);
  return arith::SelectOp::create(builder, condition, gradient, zero);
}

static Value lowerClampGrad(LocBuilder &builder, ClampGradOp op, ClampGradOp::Adaptor operands) {
  return mapElements(builder, typeOf(op), {operands.getGradient(), operands.getOutput()},
                     [&](LocBuilder &inside, ValueRange elements) {
                       Value unclamped = isInside(inside, elements[1], op.getRange().getMin(),
                                                  op.getRange().getMax());
                       return keepWhere(inside, unclamped, elements[0]);
                     });
}

/// The elements in rows of eight, filled up with zeros.
static Value inRowsOfEight(LocBuilder &builder, Value tensor) {
  int64_t size = typeOf(tensor).getNumElements(), rows = llvm::divideCeil(size, 8);
  TypedAttr zero = getNumber(typeOf(tensor).getElementType(), 0);
  Value flat = pad(builder, reshape(builder, tensor, size), zero, 0, rows * 8 - size);
  return reshape(builder, flat, {rows, 8});
}

static Value lowerClampMask(LocBuilder &builder, ClampMaskOp op, ClampMaskOp::Adaptor operands) {
  Type i8 = builder.getI8Type();
  Value flags = mapElements(builder, typeOf(operands.getOutput()).clone(i8), {operands.getOutput()},
                            [&](LocBuilder &inside, ValueRange elements) -> Value {
                              Value unclamped =
                                  isInside(inside, elements[0], op.getRange().getMin(),
                                           op.getRange().getMax());
                              return arith::ExtUIOp::create(inside, i8, unclamped);
                            });
  AffineExpr byte, bit;
  bindDims(builder.getContext(), byte, bit);
  AffineMap perByte = AffineMap::get(2, 0, byte, builder.getContext());
  return reduce(builder, typeOf(op), getNumber(i8, 0), perByte, {inRowsOfEight(builder, flags)},
                [&](LocBuilder &inside, ValueRange elements) -> Value {
                  Value shifted =
                      arith::ShLIOp::create(inside, elements[0], getIndex(inside, 1, i8));
                  return arith::OrIOp::create(inside, elements[1], shifted);
                });
}

static Value lowerApplyMask(LocBuilder &builder, ApplyMaskOp op, ApplyMaskOp::Adaptor operands) {
  RankedTensorType type = typeOf(op);
  Value rows = inRowsOfEight(builder, operands.getGradient());
  auto apply = [](LocBuilder &inside, ValueRange elements) {
    Type i8 = inside.getI8Type(), i1 = inside.getI1Type();
    Value bit = arith::ShRUIOp::create(inside, elements[1], getIndex(inside, 1, i8));
    return keepWhere(inside, arith::TruncIOp::create(inside, i1, bit), elements[0]);
  };
  Value kept = mapElements(builder, typeOf(rows), {rows, along(operands.getMask(), 0, 2)}, apply);
  Value flat = reshape(builder, kept, typeOf(kept).getNumElements());
  return reshape(builder, slice(builder, flat, 0, type.getNumElements()), type.getShape());
}

void structured::populateGradientPatterns(RewritePatternSet &patterns, const TypeConverter &types) {
  addLowerings(patterns, types, lowerInputGrad<Conv2DInputGradOp>, lowerInputGrad<DenseInputGradOp>,
               lowerWeightGrad<Conv2DWeightGradOp>, lowerWeightGrad<DenseWeightGradOp>,
               lowerBiasGrad, lowerAvgPoolGrad, lowerMaxPoolGrad, lowerClampGrad, lowerClampMask,
               lowerApplyMask);
}
