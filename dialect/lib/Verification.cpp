// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Verification.h"

using namespace mlir;
using namespace tte;

static LogicalResult verifyNumbers(Operation *op, StringRef what, ArrayRef<int64_t> numbers,
                                   size_t count, int64_t least) {
  if (numbers.size() != count)
    return op->emitOpError() << what << " needs " << count << " numbers, found " << numbers.size();
  for (int64_t number : numbers)
    if (number < least)
      return op->emitOpError() << what << " must be at least " << least << ", found " << number;
  return success();
}

LogicalResult tte::verifyWindow(Operation *op, const Window &window) {
  return success(succeeded(verifyNumbers(op, "kernel", window.kernel, 2, 1)) &&
                 succeeded(verifyNumbers(op, "strides", window.strides, 2, 1)) &&
                 succeeded(verifyNumbers(op, "padding", window.padding, 4, 0)) &&
                 succeeded(verifyNumbers(op, "dilations", window.dilations, 2, 1)));
}

LogicalResult tte::verifyRank(Operation *op, StringRef what, RankedTensorType type, int64_t rank) {
  if (type.getRank() != rank)
    return op->emitOpError() << what << " must have rank " << rank << ", found " << type;
  return success();
}

LogicalResult tte::verifyShape(Operation *op, StringRef what, RankedTensorType type,
                               ArrayRef<int64_t> expected) {
  if (type.getShape() == expected)
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError() << what << " must have shape (";
  llvm::interleaveComma(expected, diagnostic);
  return diagnostic << "), found " << type;
}

LogicalResult tte::verifySpatialShape(Operation *op, RankedTensorType input,
                                      RankedTensorType output, const Window &window) {
  if (failed(verifyWindow(op, window)) || failed(verifyRank(op, "input", input, 4)) ||
      failed(verifyRank(op, "output", output, 4)))
    return failure();
  SmallVector<int64_t> expected{input.getDimSize(0)};
  for (int d = 0; d < 2; ++d) {
    int64_t extent = window.dilations[d] * (window.kernel[d] - 1) + 1;
    int64_t padded = input.getDimSize(d + 1) + window.padding[2 * d] + window.padding[2 * d + 1];
    if (padded < extent)
      return op->emitOpError() << "a kernel of extent " << extent
                               << " does not fit into the padded input of size " << padded;
    expected.push_back((padded - extent) / window.strides[d] + 1);
  }
  expected.push_back(output.getDimSize(3));
  return verifyShape(op, "output", output, expected);
}

FailureOr<SmallVector<int64_t>> tte::verifyWeightParts(Operation *op, ValueRange parts,
                                                       int64_t axis) {
  if (parts.empty())
    return op->emitOpError("needs at least one part of the weight"), failure();
  RankedTensorType first = typeOf(parts.front());
  SmallVector<int64_t> shape(first.getShape());
  if (axis >= first.getRank())
    return op->emitOpError() << "weight must have rank above " << axis << ", found " << first,
           failure();
  for (Value part : parts.drop_front()) {
    RankedTensorType type = typeOf(part);
    bool same = type.getRank() == first.getRank();
    for (int64_t d = 0; same && d < type.getRank(); ++d)
      same = d == axis || type.getDimSize(d) == first.getDimSize(d);
    if (!same)
      return op->emitOpError() << "parts of the weight may differ in dimension " << axis
                               << " alone, found " << first << " and " << type,
             failure();
    if (getQuantizedAxis(type) != axis && type.getElementType() != first.getElementType())
      return op->emitOpError() << "parts of the weight must have one element type, found "
                               << first.getElementType() << " and " << type.getElementType(),
             failure();
    shape[axis] += type.getDimSize(axis);
  }
  return shape;
}

/// The scale of a bias is the one of the input times the one of the weight's channel.
/// Parts split along the channels follow each other, other parts share them.
static LogicalResult verifyBiasScales(Operation *op, quant::QuantizedType input, ValueRange weights,
                                      quant::QuantizedType bias, bool partsSplitChannels) {
  int64_t first = 0;
  for (Value part : weights) {
    quant::QuantizedType weight = getQuantizedElement(part.getType());
    int64_t channels = typeOf(part).getShape().back();
    for (int64_t o = 0; o < channels; ++o) {
      double expected = getScale(input, 0) * getScale(weight, o);
      double found = getScale(bias, first + o);
      if (std::abs(expected - found) > 1e-6 * expected)
        return op->emitOpError() << "scale of bias " << first + o << " must be " << expected
                                 << " (input times weight), found " << found;
    }
    first += partsSplitChannels ? channels : 0;
  }
  return success();
}

LogicalResult tte::verifyAffineElementTypes(Operation *op, RankedTensorType input,
                                            ValueRange weights, Value bias, RankedTensorType result,
                                            bool partsSplitChannels) {
  quant::QuantizedType inputElement = getQuantizedElement(input);
  auto mixed = [&](StringRef what, Type type) {
    return op->emitOpError() << what << " of type " << type << " does not go with an input of type "
                             << input;
  };
  for (Value part : weights)
    if (bool(getQuantizedElement(part.getType())) != bool(inputElement))
      return mixed("weight", part.getType());
  if (bias && bool(getQuantizedElement(bias.getType())) != bool(inputElement))
    return mixed("bias", bias.getType());
  if (!inputElement)
    return getQuantizedElement(result) ? mixed("result", result) : success();

  auto requireStorage = [&](StringRef what, Type type, unsigned width) -> LogicalResult {
    quant::QuantizedType element = getQuantizedElement(type);
    if (element && element.getStorageTypeIntegralWidth() != width)
      return op->emitOpError() << what << " must be stored in i" << width << ", found " << type;
    return success();
  };
  if (failed(requireStorage("input", input, 8)) || failed(requireStorage("result", result, 8)) ||
      (bias && failed(requireStorage("bias", bias.getType(), 32))))
    return failure();
  if (bias && !isSymmetric(getQuantizedElement(bias.getType())))
    return op->emitOpError() << "bias must have zero point 0, found " << bias.getType();
  for (Value part : weights) {
    RankedTensorType type = typeOf(part);
    if (failed(requireStorage("weight", type, 8)))
      return failure();
    if (!isSymmetric(getQuantizedElement(type)))
      return op->emitOpError() << "weight must have zero point 0, found " << type;
    int64_t axis = getQuantizedAxis(type);
    if (axis >= 0 && axis != type.getRank() - 1)
      return op->emitOpError() << "weight must be quantized along its last dimension, found "
                               << type;
  }
  if (getQuantizedAxis(input) >= 0 || getQuantizedAxis(result) >= 0)
    return op->emitOpError("input and result must be quantized per tensor");
  return bias ? verifyBiasScales(op, inputElement, weights, getQuantizedElement(bias.getType()),
                                 partsSplitChannels)
              : success();
}
