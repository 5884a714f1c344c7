// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers, folds and multiply-accumulate counts of the network's ops.
#include "Verification.h"

using namespace mlir;
using namespace tte;

//===----------------------------------------------------------------------===//
// conv2d and dense
//===----------------------------------------------------------------------===//

bool Conv2DOp::isDepthwise() {
  int64_t channels = typeOf(getInput()).getDimSize(3);
  return getGroups() == channels && typeOf(getResult()).getDimSize(3) == channels;
}

LogicalResult Conv2DOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getResult());
  if (failed(verifyRank(*this, "input", input, 4)) ||
      failed(verifyRank(*this, "result", result, 4)))
    return failure();
  int64_t axis = getWeightAxis();
  FailureOr<SmallVector<int64_t>> weight = verifyWeightParts(*this, getWeights(), axis);
  if (failed(weight))
    return failure();
  if (weight->size() != 4)
    return emitOpError() << "weight must have rank 4, found " << getWeights().front().getType();
  int64_t inputChannels = input.getDimSize(3), channels = result.getDimSize(3),
          groups = getGroups();
  if (groups < 1 || inputChannels % groups || channels % groups)
    return emitOpError() << groups << " groups must divide " << inputChannels << " input and "
                         << channels << " output channels";
  if (getWeights().size() > 1 && !allowsWeightParts())
    return emitOpError() << "several parts of the weight need an ungrouped or depthwise "
                            "convolution, found "
                         << groups << " groups";
  if ((*weight)[2] != inputChannels / groups || (*weight)[3] != channels)
    return emitOpError() << "weight must have " << inputChannels / groups << " input and "
                         << channels << " output channels, found " << (*weight)[2] << " and "
                         << (*weight)[3];
  if (getBias() && failed(verifyShape(*this, "bias", typeOf(getBias()), {channels})))
    return failure();
  Window window{{(*weight)[0], (*weight)[1]}, getStrides(), getPadding(), getDilations()};
  if (failed(verifySpatialShape(*this, input, result, window)))
    return failure();
  return verifyAffineElementTypes(*this, input, getWeights(), getBias(), result, axis == 3);
}

int64_t Conv2DOp::getMacs() {
  ArrayRef<int64_t> weight = typeOf(getWeights().front()).getShape();
  return typeOf(getResult()).getNumElements() * weight[0] * weight[1] *
         (typeOf(getInput()).getDimSize(3) / getGroups());
}

LogicalResult DenseOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getResult());
  if (failed(verifyRank(*this, "input", input, 2)) ||
      failed(verifyRank(*this, "result", result, 2)))
    return failure();
  FailureOr<SmallVector<int64_t>> weight = verifyWeightParts(*this, getWeights(), 0);
  if (failed(weight))
    return failure();
  if (*weight != SmallVector<int64_t>{input.getDimSize(1), result.getDimSize(1)})
    return emitOpError() << "weight must have shape (" << input.getDimSize(1) << ", "
                         << result.getDimSize(1) << ") over all parts, found first part "
                         << getWeights().front().getType();
  if (getBias() && failed(verifyShape(*this, "bias", typeOf(getBias()), {result.getDimSize(1)})))
    return failure();
  if (failed(verifyShape(*this, "result", result, {input.getDimSize(0), result.getDimSize(1)})))
    return failure();
  return verifyAffineElementTypes(*this, input, getWeights(), getBias(), result, false);
}

int64_t DenseOp::getMacs() {
  return typeOf(getInput()).getNumElements() * typeOf(getResult()).getDimSize(1);
}

//===----------------------------------------------------------------------===//
// Elementwise and pooling
//===----------------------------------------------------------------------===//

LogicalResult AddOp::verify() {
  RankedTensorType lhs = typeOf(getLhs()), rhs = typeOf(getRhs()), result = typeOf(getResult());
  if (failed(verifyShape(*this, "rhs", rhs, lhs.getShape())) ||
      failed(verifyShape(*this, "result", result, lhs.getShape())))
    return failure();
  bool quantized = isQuantizedTensor(lhs);
  if (isQuantizedTensor(rhs) != quantized || isQuantizedTensor(result) != quantized)
    return emitOpError() << "operands and result must all be f32 or all quantized, found " << lhs
                         << ", " << rhs << " and " << result;
  for (RankedTensorType type : {lhs, rhs, result})
    if (quantized &&
        (getQuantizedAxis(type) >= 0 || getStorageTensor(type).getElementTypeBitWidth() != 8))
      return emitOpError() << "quantized operands must be i8 with one scale a tensor, found "
                           << type;
  return success();
}

static LogicalResult verifyPool(Operation *op, RankedTensorType input, RankedTensorType result,
                                ArrayRef<int64_t> kernel, ArrayRef<int64_t> strides,
                                ArrayRef<int64_t> padding) {
  const int64_t dense[] = {1, 1};
  if (failed(verifySpatialShape(op, input, result, {kernel, strides, padding, dense})))
    return failure();
  if (input.getDimSize(3) != result.getDimSize(3))
    return op->emitOpError() << "channels must stay " << input.getDimSize(3) << ", found "
                             << result.getDimSize(3);
  for (int d = 0; d < 2; ++d)
    if (std::max(padding[2 * d], padding[2 * d + 1]) >= kernel[d])
      return op->emitOpError() << "padding must be less than the kernel " << kernel[d]
                               << ", so that no window lies outside the input";
  return success();
}

static LogicalResult verifyPoolTypes(Operation *op, RankedTensorType input,
                                     RankedTensorType result) {
  if (input.getElementType() != result.getElementType())
    return op->emitOpError() << "element type must stay " << input.getElementType() << ", found "
                             << result.getElementType();
  return success();
}

LogicalResult AvgPool2DOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getResult());
  if (failed(verifyPool(*this, input, result, getKernel(), getStrides(), getPadding())))
    return failure();
  return verifyPoolTypes(*this, input, result);
}

LogicalResult MaxPool2DOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getResult());
  if (failed(verifyPool(*this, input, result, getKernel(), getStrides(), getPadding())))
    return failure();
  return verifyPoolTypes(*this, input, result);
}

LogicalResult AvgPool2DGradOp::verify() {
  return verifyPool(*this, typeOf(getResult()), typeOf(getGradient()), getKernel(), getStrides(),
                    getPadding());
}

LogicalResult MaxPool2DGradOp::verify() {
  if (failed(verifyShape(*this, "result", typeOf(getResult()), typeOf(getInput()).getShape())))
    return failure();
  return verifyPool(*this, typeOf(getInput()), typeOf(getGradient()), getKernel(), getStrides(),
                    getPadding());
}

//===----------------------------------------------------------------------===//
// Shape
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getResult());
  if (input.getNumElements() != result.getNumElements())
    return emitOpError() << "must keep " << input.getNumElements() << " elements, found "
                         << result.getNumElements();
  if (input.getElementType() != result.getElementType())
    return emitOpError() << "element type must stay " << input.getElementType() << ", found "
                         << result.getElementType();
  int64_t axis = getQuantizedAxis(input);
  if (axis >= 0 && (axis >= result.getRank() || input.getDimSize(axis) != result.getDimSize(axis)))
    return emitOpError() << "must keep dimension " << axis << ", along which the type is quantized";
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult SliceOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getResult());
  int64_t rank = input.getRank();
  if (failed(verifyRank(*this, "result", result, rank)))
    return failure();
  if (int64_t(getOffsets().size()) != rank)
    return emitOpError() << "needs " << rank << " offsets, found " << getOffsets().size();
  for (int64_t d = 0; d < rank; ++d)
    if (getOffsets()[d] < 0 || getOffsets()[d] + result.getDimSize(d) > input.getDimSize(d))
      return emitOpError() << "box [" << getOffsets()[d] << ", "
                           << getOffsets()[d] + result.getDimSize(d) << ") leaves dimension " << d
                           << " of size " << input.getDimSize(d);
  Type expected = getSlicedType(input, getOffsets(), result.getShape()).getElementType();
  if (result.getElementType() != expected)
    return emitOpError() << "element type of the result must be " << expected << ", found "
                         << result.getElementType();
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult SliceGradOp::verify() {
  RankedTensorType gradient = typeOf(getGradient()), result = typeOf(getResult());
  int64_t rank = result.getRank();
  if (failed(verifyRank(*this, "gradient", gradient, rank)))
    return failure();
  if (int64_t(getOffsets().size()) != rank)
    return emitOpError() << "needs " << rank << " offsets, found " << getOffsets().size();
  for (int64_t d = 0; d < rank; ++d)
    if (getOffsets()[d] < 0 || getOffsets()[d] + gradient.getDimSize(d) > result.getDimSize(d))
      return emitOpError() << "box [" << getOffsets()[d] << ", "
                           << getOffsets()[d] + gradient.getDimSize(d) << ") leaves dimension " << d
                           << " of size " << result.getDimSize(d);
  return success();
}

LogicalResult PermuteOp::verify() {
  RankedTensorType input = typeOf(getInput()), result = typeOf(getResult());
  ArrayRef<int64_t> permutation = getPermutation();
  SmallVector<int64_t> sorted(permutation);
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, input.getRank())))
    return emitOpError() << "permutation must name each of the " << input.getRank()
                         << " dimensions once";
  SmallVector<int64_t> shape;
  Type expected = input.getElementType();
  int64_t axis = getQuantizedAxis(input);
  for (auto [d, from] : llvm::enumerate(permutation)) {
    shape.push_back(input.getDimSize(from));
    if (from == axis)
      expected =
          withScales(cast<quant::QuantizedType>(expected), d,
                     cast<quant::UniformQuantizedPerAxisType>(input.getElementType()).getScales());
  }
  if (failed(verifyShape(*this, "result", result, shape)))
    return failure();
  if (result.getElementType() != expected)
    return emitOpError() << "element type of the result must be " << expected << ", found "
                         << result.getElementType();
  return success();
}

OpFoldResult PermuteOp::fold(FoldAdaptor) {
  if (llvm::equal(getPermutation(), llvm::seq<int64_t>(0, getPermutation().size())))
    return getInput();
  return {};
}

//===----------------------------------------------------------------------===//
// Grid
//===----------------------------------------------------------------------===//

static LogicalResult verifyGrid(Operation *op, RankedTensorType quantized, RankedTensorType real) {
  if (getQuantizedAxis(quantized) >= 0)
    return op->emitOpError() << "needs one scale a tensor, found " << quantized;
  return verifyShape(op, "result", typeOf(op->getResult(0)), typeOf(op->getOperand(0)).getShape());
}

LogicalResult QuantizeOp::verify() {
  return verifyGrid(*this, typeOf(getResult()), typeOf(getInput()));
}

LogicalResult DequantizeOp::verify() {
  return verifyGrid(*this, typeOf(getInput()), typeOf(getResult()));
}
