// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Vector-Jacobian products of the network's ops (GradientOpInterface).
#include "Verification.h"

using namespace mlir;
using namespace tte;

static RankedTensorType floatTypeOf(Value value) {
  return typeOf(value).clone(Float32Type::get(value.getContext()));
}

/// The range inside which `output` was not clamped: the op's own, else the
/// storage range of a quantized output. Null where nothing clamps.
static ClampAttr clampRangeOf(Value output, std::optional<ClampAttr> clamp) {
  if (clamp)
    return *clamp;
  quant::QuantizedType element = getQuantizedElement(output.getType());
  if (!element)
    return {};
  return ClampAttr::get(output.getContext(), element.getStorageTypeMin(),
                        element.getStorageTypeMax());
}

/// `outGrad` with the mask of the clamp of `output` applied, if it has one.
static Value maskGradient(OpBuilder &builder, Location loc, Value outGrad, Value output,
                          std::optional<ClampAttr> clamp) {
  ClampAttr range = clampRangeOf(output, clamp);
  if (!range)
    return outGrad;
  return ClampGradOp::create(builder, loc, outGrad.getType(), outGrad, output, range);
}

/// Calls `build` for each operand and collects what it returns.
static SmallVector<Value> forEachOperand(ArrayRef<OpOperand *> operands,
                                         function_ref<Value(OpOperand &)> build) {
  return llvm::map_to_vector(operands, [&](OpOperand *operand) { return build(*operand); });
}

/// The first channel of a part of the weight among all parts.
static int64_t offsetOfPart(OperandRange parts, unsigned part, int64_t axis) {
  int64_t offset = 0;
  for (Value previous : parts.take_front(part))
    offset += typeOf(previous).getDimSize(axis);
  return offset;
}

SmallVector<Value> Conv2DOp::buildGradients(OpBuilder &builder, Value outGrad,
                                            ArrayRef<OpOperand *> operands) {
  Value masked = maskGradient(builder, getLoc(), outGrad, getResult(), getClamp());
  unsigned firstWeight = getWeights().getBeginOperandIndex();
  return forEachOperand(operands, [&](OpOperand &operand) -> Value {
    RankedTensorType type = floatTypeOf(operand.get());
    if (operand.getOperandNumber() == 0)
      return Conv2DInputGradOp::create(builder, getLoc(), type, masked, getWeights(), getStrides(),
                                       getPadding(), getDilations(), getGroups());
    if (getBias() && operand.get() == getBias() &&
        operand.getOperandNumber() == getNumOperands() - 1)
      return BiasGradOp::create(builder, getLoc(), type, masked);
    int64_t offset =
        offsetOfPart(getWeights(), operand.getOperandNumber() - firstWeight, getWeightAxis());
    return Conv2DWeightGradOp::create(builder, getLoc(), type, getInput(), masked, getStrides(),
                                      getPadding(), getDilations(), getGroups(), offset);
  });
}

SmallVector<Value> DenseOp::buildGradients(OpBuilder &builder, Value outGrad,
                                           ArrayRef<OpOperand *> operands) {
  Value masked = maskGradient(builder, getLoc(), outGrad, getResult(), getClamp());
  unsigned firstWeight = getWeights().getBeginOperandIndex();
  return forEachOperand(operands, [&](OpOperand &operand) -> Value {
    RankedTensorType type = floatTypeOf(operand.get());
    if (operand.getOperandNumber() == 0)
      return DenseInputGradOp::create(builder, getLoc(), type, masked, getWeights());
    if (getBias() && operand.getOperandNumber() == getNumOperands() - 1)
      return BiasGradOp::create(builder, getLoc(), type, masked);
    int64_t offset =
        offsetOfPart(getWeights(), operand.getOperandNumber() - firstWeight, getWeightAxis());
    return DenseWeightGradOp::create(builder, getLoc(), type, getInput(), masked, offset);
  });
}

SmallVector<Value> AddOp::buildGradients(OpBuilder &builder, Value outGrad,
                                         ArrayRef<OpOperand *> operands) {
  Value masked = maskGradient(builder, getLoc(), outGrad, getResult(), getClamp());
  return SmallVector<Value>(operands.size(), masked);
}

SmallVector<Value> AvgPool2DOp::buildGradients(OpBuilder &builder, Value outGrad,
                                               ArrayRef<OpOperand *> operands) {
  return forEachOperand(operands, [&](OpOperand &operand) -> Value {
    return AvgPool2DGradOp::create(builder, getLoc(), floatTypeOf(operand.get()), outGrad,
                                   getKernel(), getStrides(), getPadding());
  });
}

SmallVector<Value> MaxPool2DOp::buildGradients(OpBuilder &builder, Value outGrad,
                                               ArrayRef<OpOperand *> operands) {
  return forEachOperand(operands, [&](OpOperand &operand) -> Value {
    return MaxPool2DGradOp::create(builder, getLoc(), floatTypeOf(operand.get()), getInput(),
                                   outGrad, getKernel(), getStrides(), getPadding());
  });
}

SmallVector<Value> ClampOp::buildGradients(OpBuilder &builder, Value outGrad,
                                           ArrayRef<OpOperand *> operands) {
  Value masked = maskGradient(builder, getLoc(), outGrad, getResult(), getRange());
  return SmallVector<Value>(operands.size(), masked);
}

SmallVector<Value> ReshapeOp::buildGradients(OpBuilder &builder, Value outGrad,
                                             ArrayRef<OpOperand *> operands) {
  return forEachOperand(operands, [&](OpOperand &operand) -> Value {
    return ReshapeOp::create(builder, getLoc(), floatTypeOf(operand.get()), outGrad);
  });
}

SmallVector<Value> SliceOp::buildGradients(OpBuilder &builder, Value outGrad,
                                           ArrayRef<OpOperand *> operands) {
  return forEachOperand(operands, [&](OpOperand &operand) -> Value {
    return SliceGradOp::create(builder, getLoc(), floatTypeOf(operand.get()), outGrad,
                               getOffsets());
  });
}

SmallVector<Value> PermuteOp::buildGradients(OpBuilder &builder, Value outGrad,
                                             ArrayRef<OpOperand *> operands) {
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [d, from] : llvm::enumerate(getPermutation()))
    inverse[from] = d;
  return forEachOperand(operands, [&](OpOperand &operand) -> Value {
    return PermuteOp::create(builder, getLoc(), floatTypeOf(operand.get()), outGrad, inverse);
  });
}

SmallVector<Value> QuantizeOp::buildGradients(OpBuilder &builder, Value outGrad,
                                              ArrayRef<OpOperand *> operands) {
  Value masked = maskGradient(builder, getLoc(), outGrad, getResult(), std::nullopt);
  return SmallVector<Value>(operands.size(), masked);
}

SmallVector<Value> DequantizeOp::buildGradients(OpBuilder &builder, Value outGrad,
                                                ArrayRef<OpOperand *> operands) {
  return SmallVector<Value>(operands.size(), outGrad);
}
