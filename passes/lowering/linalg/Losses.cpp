// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Losses and their gradients.
#include "Patterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tte;
using namespace tte::structured;

/// Reduces each row of (rows, columns) operands; vectors have an element a row.
static Value reduceRows(LocBuilder &builder, TypedAttr initial, Value matrix, ValueRange vectors,
                        Body body) {
  AffineMap perRow = AffineMap::get(2, 0, builder.getAffineDimExpr(0), builder.getContext());
  SmallVector<Operand> in{matrix};
  for (Value vector : vectors)
    in.push_back({vector, perRow});
  auto type = RankedTensorType::get(typeOf(matrix).getDimSize(0), initial.getType());
  return reduce(builder, type, initial, perRow, in, body);
}

/// The sum of term(elements of the operands) over all elements, divided by `count`.
static Value sumAll(LocBuilder &builder, ArrayRef<Operand> in, Value like, int64_t count,
                    Body term) {
  Type f32 = builder.getF32Type();
  auto scalar = RankedTensorType::get({}, f32);
  AffineMap toScalar = AffineMap::get(typeOf(like).getRank(), 0, builder.getContext());
  Value sum = reduce(builder, scalar, getNumber(f32, 0), toScalar, in,
                     [&](LocBuilder &inside, ValueRange elements) {
                       Value value = term(inside, elements.drop_back());
                       return add(inside, elements.back(), value);
                     });
  return mapElements(builder, scalar, {sum}, [&](LocBuilder &inside, ValueRange elements) -> Value {
    return arith::DivFOp::create(inside, elements[0], getConstant(inside, f32, count));
  });
}

/// Whether the column of the iteration is the label of its row, as f32.
static Value isLabel(LocBuilder &builder, Value label) {
  Value same = isEqual(builder, getIndex(builder, 1, label.getType()), label);
  return arith::UIToFPOp::create(builder, builder.getF32Type(), same);
}

static Value lowerOneHot(LocBuilder &builder, OneHotOp op, OneHotOp::Adaptor operands) {
  return mapElements(
      builder, typeOf(op), {along(operands.getLabels(), 0, 2)},
      [](LocBuilder &inside, ValueRange elements) { return isLabel(inside, elements[0]); });
}

namespace {
/// exp(score - maximum of its row), the sums of its rows, and the maxima.
struct Softmax {
  Value powers, sums, maxima;
};
} // namespace

static Softmax getSoftmax(LocBuilder &builder, Value scores) {
  Type f32 = builder.getF32Type();
  Value maxima =
      reduceRows(builder, getLowest(f32), scores, {}, [](LocBuilder &inside, ValueRange elements) {
        return maximum(inside, elements[0], elements[1]);
      });
  Value powers = mapElements(builder, typeOf(scores), {scores, along(maxima, 0, 2)},
                             [](LocBuilder &inside, ValueRange elements) -> Value {
                               Value below =
                                   arith::SubFOp::create(inside, elements[0], elements[1]);
                               return math::ExpOp::create(inside, below);
                             });
  Value sums = reduceRows(builder, getNumber(f32, 0), powers, {},
                          [](LocBuilder &inside, ValueRange elements) {
                            return add(inside, elements[1], elements[0]);
                          });
  return {powers, sums, maxima};
}

static Value lowerCrossEntropy(LocBuilder &builder, SoftmaxCrossEntropyOp op,
                               SoftmaxCrossEntropyOp::Adaptor operands) {
  Value scores = operands.getScores();
  Softmax softmax = getSoftmax(builder, scores);
  Value chosen =
      reduceRows(builder, getNumber(builder.getF32Type(), 0), scores, operands.getLabels(),
                 [](LocBuilder &inside, ValueRange elements) -> Value {
                   Value same =
                       isEqual(inside, getIndex(inside, 1, elements[1].getType()), elements[1]);
                   return arith::SelectOp::create(inside, same, elements[0], elements[2]);
                 });
  return sumAll(builder, {softmax.sums, softmax.maxima, chosen}, chosen,
                typeOf(scores).getDimSize(0), [](LocBuilder &inside, ValueRange elements) -> Value {
                  Value logarithm = math::LogOp::create(inside, elements[0]);
                  Value total = add(inside, logarithm, elements[1]);
                  return arith::SubFOp::create(inside, total, elements[2]);
                });
}

static Value lowerCrossEntropyGrad(LocBuilder &builder, SoftmaxCrossEntropyGradOp op,
                                   SoftmaxCrossEntropyGradOp::Adaptor operands) {
  Softmax softmax = getSoftmax(builder, operands.getScores());
  int64_t rows = typeOf(op).getDimSize(0);
  auto difference = [&](LocBuilder &inside, ValueRange elements) -> Value {
    Value probability = arith::DivFOp::create(inside, elements[0], elements[1]);
    Value error = arith::SubFOp::create(inside, probability, isLabel(inside, elements[2]));
    return arith::DivFOp::create(inside, error, getConstant(inside, error.getType(), rows));
  };
  return mapElements(builder, typeOf(op),
                     {softmax.powers, along(softmax.sums, 0, 2), along(operands.getLabels(), 0, 2)},
                     difference);
}

static Value lowerSquaredError(LocBuilder &builder, MeanSquaredErrorOp op,
                               MeanSquaredErrorOp::Adaptor operands) {
  Value prediction = operands.getPrediction();
  return sumAll(builder, {prediction, operands.getTarget()}, prediction,
                typeOf(prediction).getNumElements(), [](LocBuilder &inside, ValueRange elements) {
                  Value error = arith::SubFOp::create(inside, elements[0], elements[1]);
                  return multiply(inside, error, error);
                });
}

static Value lowerSquaredErrorGrad(LocBuilder &builder, MeanSquaredErrorGradOp op,
                                   MeanSquaredErrorGradOp::Adaptor operands) {
  auto scaled = [&](LocBuilder &inside, ValueRange elements) -> Value {
    Value error = arith::SubFOp::create(inside, elements[0], elements[1]);
    Value count = getConstant(inside, error.getType(), typeOf(op).getNumElements());
    return arith::DivFOp::create(inside, add(inside, error, error), count);
  };
  return mapElements(builder, typeOf(op), {operands.getPrediction(), operands.getTarget()}, scaled);
}

void structured::populateLossPatterns(RewritePatternSet &patterns, const TypeConverter &types) {
  addLowerings(patterns, types, lowerOneHot, lowerCrossEntropy, lowerCrossEntropyGrad,
               lowerSquaredError, lowerSquaredErrorGrad);
}
