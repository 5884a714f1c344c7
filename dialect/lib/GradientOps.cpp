// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers and multiply-accumulate counts of the gradient ops.
#include "Verification.h"

using namespace mlir;
using namespace tte;

static bool isDepthwiseShape(RankedTensorType input, RankedTensorType output, int64_t groups) {
  return groups == input.getDimSize(3) && groups == output.getDimSize(3);
}

bool Conv2DInputGradOp::isDepthwise() {
  return isDepthwiseShape(typeOf(getResult()), typeOf(getGradient()), getGroups());
}

LogicalResult Conv2DInputGradOp::verify() {
  RankedTensorType gradient = typeOf(getGradient()), result = typeOf(getResult());
  if (failed(verifyRank(*this, "gradient", gradient, 4)) ||
      failed(verifyRank(*this, "result", result, 4)))
    return failure();
  FailureOr<SmallVector<int64_t>> weight =
      verifyWeightParts(*this, getWeights(), isDepthwise() ? 3 : 2);
  if (failed(weight))
    return failure();
  if (weight->size() != 4)
    return emitOpError() << "weight must have rank 4, found " << getWeights().front().getType();
  int64_t groups = getGroups();
  if (groups < 1 || result.getDimSize(3) % groups ||
      (*weight)[2] != result.getDimSize(3) / groups || (*weight)[3] != gradient.getDimSize(3))
    return emitOpError() << "weight must have "
                         << result.getDimSize(3) / std::max<int64_t>(groups, 1) << " input and "
                         << gradient.getDimSize(3) << " output channels, found " << (*weight)[2]
                         << " and " << (*weight)[3];
  return verifySpatialShape(
      *this, result, gradient,
      {{(*weight)[0], (*weight)[1]}, getStrides(), getPadding(), getDilations()});
}

int64_t Conv2DInputGradOp::getMacs() {
  ArrayRef<int64_t> weight = typeOf(getWeights().front()).getShape();
  return typeOf(getGradient()).getNumElements() * weight[0] * weight[1] *
         (typeOf(getResult()).getDimSize(3) / getGroups());
}

bool Conv2DWeightGradOp::isDepthwise() {
  return isDepthwiseShape(typeOf(getInput()), typeOf(getGradient()), getGroups());
}

LogicalResult Conv2DWeightGradOp::verify() {
  RankedTensorType input = typeOf(getInput()), gradient = typeOf(getGradient()),
                   result = typeOf(getResult());
  if (failed(verifyRank(*this, "input", input, 4)) ||
      failed(verifyRank(*this, "gradient", gradient, 4)) ||
      failed(verifyRank(*this, "result", result, 4)))
    return failure();
  int64_t groups = getGroups(), offset = getOffset();
  int64_t inputChannels = input.getDimSize(3), channels = gradient.getDimSize(3);
  if (groups < 1 || inputChannels % groups || channels % groups)
    return emitOpError() << groups << " groups must divide " << inputChannels << " input and "
                         << channels << " output channels";
  int64_t axis = isDepthwise() ? 3 : 2;
  int64_t whole = isDepthwise() ? channels : inputChannels / groups;
  int64_t size = result.getDimSize(axis);
  if (offset < 0 || offset + size > whole)
    return emitOpError() << "channels [" << offset << ", " << offset + size << ") leave the "
                         << whole << " channels of the weight";
  if (groups != 1 && !isDepthwise() && size != whole)
    return emitOpError() << "a range of channels needs an ungrouped or depthwise convolution, "
                            "found "
                         << groups << " groups";
  SmallVector<int64_t> expected(result.getShape());
  expected[5 - axis] = isDepthwise() ? 1 : channels;
  if (failed(verifyShape(*this, "result", result, expected)))
    return failure();
  return verifySpatialShape(
      *this, input, gradient,
      {{result.getDimSize(0), result.getDimSize(1)}, getStrides(), getPadding(), getDilations()});
}

int64_t Conv2DWeightGradOp::getMacs() {
  RankedTensorType gradient = typeOf(getGradient());
  return typeOf(getResult()).getNumElements() * gradient.getDimSize(0) * gradient.getDimSize(1) *
         gradient.getDimSize(2);
}

LogicalResult DenseInputGradOp::verify() {
  RankedTensorType gradient = typeOf(getGradient()), result = typeOf(getResult());
  if (failed(verifyRank(*this, "gradient", gradient, 2)) ||
      failed(verifyRank(*this, "result", result, 2)))
    return failure();
  FailureOr<SmallVector<int64_t>> weight = verifyWeightParts(*this, getWeights(), 0);
  if (failed(weight))
    return failure();
  if (*weight != SmallVector<int64_t>{result.getDimSize(1), gradient.getDimSize(1)})
    return emitOpError() << "weight must have shape (" << result.getDimSize(1) << ", "
                         << gradient.getDimSize(1) << ") over all parts, found first part "
                         << getWeights().front().getType();
  return verifyShape(*this, "result", result, {gradient.getDimSize(0), result.getDimSize(1)});
}

int64_t DenseInputGradOp::getMacs() {
  return typeOf(getResult()).getNumElements() * typeOf(getGradient()).getDimSize(1);
}

LogicalResult DenseWeightGradOp::verify() {
  RankedTensorType input = typeOf(getInput()), gradient = typeOf(getGradient()),
                   result = typeOf(getResult());
  if (failed(verifyRank(*this, "input", input, 2)) ||
      failed(verifyRank(*this, "gradient", gradient, 2)) ||
      failed(verifyRank(*this, "result", result, 2)) ||
      failed(verifyShape(*this, "gradient", gradient,
                         {input.getDimSize(0), gradient.getDimSize(1)})) ||
      failed(verifyShape(*this, "result", result, {result.getDimSize(0), gradient.getDimSize(1)})))
    return failure();
  int64_t offset = getOffset(), size = result.getDimSize(0);
  if (offset < 0 || offset + size > input.getDimSize(1))
    return emitOpError() << "channels [" << offset << ", " << offset + size << ") leave the "
                         << input.getDimSize(1) << " channels of the weight";
  return success();
}

int64_t DenseWeightGradOp::getMacs() {
  return typeOf(getResult()).getNumElements() * typeOf(getInput()).getDimSize(0);
}

LogicalResult BiasGradOp::verify() {
  RankedTensorType gradient = typeOf(getGradient());
  if (gradient.getRank() < 1)
    return emitOpError() << "gradient must have a channel dimension, found " << gradient;
  return verifyShape(*this, "result", typeOf(getResult()), {gradient.getShape().back()});
}

LogicalResult ClampGradOp::verify() {
  return verifyShape(*this, "output", typeOf(getOutput()), typeOf(getGradient()).getShape());
}

LogicalResult ClampMaskOp::verify() {
  return verifyShape(*this, "mask", typeOf(getMask()),
                     {int64_t(llvm::divideCeil(typeOf(getOutput()).getNumElements(), 8))});
}

LogicalResult ApplyMaskOp::verify() {
  return verifyShape(*this, "mask", typeOf(getMask()),
                     {int64_t(llvm::divideCeil(typeOf(getGradient()).getNumElements(), 8))});
}
