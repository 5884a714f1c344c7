// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Verification.h"

using namespace mlir;
using namespace tte;

static LogicalResult verifyLabels(Operation *op, RankedTensorType rows, RankedTensorType labels) {
  if (failed(verifyRank(op, "scores", rows, 2)))
    return failure();
  return verifyShape(op, "labels", labels, {rows.getDimSize(0)});
}

LogicalResult OneHotOp::verify() {
  return verifyLabels(*this, typeOf(getResult()), typeOf(getLabels()));
}

LogicalResult SoftmaxCrossEntropyOp::verify() {
  return verifyLabels(*this, typeOf(getScores()), typeOf(getLabels()));
}

LogicalResult SoftmaxCrossEntropyGradOp::verify() {
  return verifyLabels(*this, typeOf(getScores()), typeOf(getLabels()));
}

Value SoftmaxCrossEntropyOp::getPrediction() { return getScores(); }

Value SoftmaxCrossEntropyOp::buildPredictionGradient(OpBuilder &builder) {
  return SoftmaxCrossEntropyGradOp::create(builder, getLoc(), getScores().getType(), getScores(),
                                           getLabels());
}

Value MeanSquaredErrorOp::buildPredictionGradient(OpBuilder &builder) {
  return MeanSquaredErrorGradOp::create(builder, getLoc(), getPrediction().getType(),
                                        getPrediction(), getTarget());
}
