// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Verification.h"

using namespace mlir;
using namespace tte;

LogicalResult ScaleGradientOp::verify() {
  quant::QuantizedType grid = getQuantizedElement(getGrid());
  if (!grid || isa<RankedTensorType>(getGrid()))
    return emitOpError() << "grid must be a quantized element type, found " << getGrid();
  int64_t axis = getQuantizedAxis(grid);
  RankedTensorType gradient = typeOf(getGradient());
  if (axis < 0)
    return success();
  SmallVector<double> storage;
  int64_t scales = getScales(grid, storage).size();
  if (axis >= gradient.getRank() || gradient.getDimSize(axis) != scales)
    return emitOpError() << "gradient must have size " << scales << " along the axis " << axis
                         << " of the grid, found " << gradient;
  return success();
}

OpFoldResult ScaleGradientOp::fold(FoldAdaptor) {
  if (getPower() == 0)
    return getGradient();
  auto inner = getGradient().getDefiningOp<ScaleGradientOp>();
  if (!inner || inner.getGrid() != getGrid())
    return {};
  setPower(getPower() + inner.getPower());
  setOperand(inner.getGradient());
  return getResult();
}

static LogicalResult verifyPeriod(Operation *op, StringRef name, int64_t period) {
  if (period < 1 || period > std::numeric_limits<int32_t>::max())
    return op->emitOpError() << name << " must be a positive number of steps, found " << period;
  return success();
}

/// A parameter on a grid of 8 bits, `residual` of its shape, and a number of bits that i8 holds.
static LogicalResult verifyResidual(Operation *op, RankedTensorType parameter,
                                    RankedTensorType residual, int64_t bits) {
  quant::QuantizedType grid = getQuantizedElement(parameter);
  if (!grid || grid.getStorageTypeIntegralWidth() != 8)
    return op->emitOpError() << "only parameters of 8 bits keep a residual, found " << parameter;
  if (bits < 2 || bits > 8)
    return op->emitOpError() << "a residual has 2 to 8 bits, found " << bits;
  return verifyShape(op, "residual", residual, parameter.getShape());
}

LogicalResult SGDOp::verify() {
  RankedTensorType parameter = typeOf(getParameter());
  if (failed(verifyShape(*this, "gradient", typeOf(getGradient()), parameter.getShape())) ||
      failed(verifyPeriod(*this, "period", getPeriod())))
    return failure();
  if ((getRounding() == Rounding::residual) != bool(getResidual()))
    return emitOpError() << "rounds " << stringifyRounding(getRounding()) << " and has "
                         << (getResidual() ? "a" : "no") << " residual";
  if (getResidual() &&
      failed(verifyResidual(*this, parameter, typeOf(getResidual()), getBits().value_or(0))))
    return failure();
  std::optional<OriginAttr> origin = getOrigin();
  if (!origin)
    return success();
  if (int64_t(origin->getShape().size()) != parameter.getRank())
    return emitOpError() << "origin must have rank " << parameter.getRank() << ", found "
                         << origin->getShape().size();
  for (auto [d, whole] : llvm::enumerate(origin->getShape()))
    if (origin->getOffsets()[d] < 0 || origin->getOffsets()[d] + parameter.getDimSize(d) > whole)
      return emitOpError() << "slice [" << origin->getOffsets()[d] << ", "
                           << origin->getOffsets()[d] + parameter.getDimSize(d)
                           << ") leaves dimension " << d << " of size " << whole
                           << " of the full parameter";
  return success();
}

OpOperand &SGDOp::getStateOperand() { return getParameterMutable(); }
int64_t SGDOp::getUpdatePeriod() { return getPeriod(); }
Value SGDOp::getStepCounter() { return getStep(); }

LogicalResult SGDResidualOp::verify() {
  RankedTensorType parameter = typeOf(getParameter());
  if (failed(verifyShape(*this, "gradient", typeOf(getGradient()), parameter.getShape())) ||
      failed(verifyPeriod(*this, "period", getPeriod())))
    return failure();
  return verifyResidual(*this, parameter, typeOf(getResidual()), getBits());
}

OpOperand &SGDResidualOp::getStateOperand() { return getResidualMutable(); }
int64_t SGDResidualOp::getUpdatePeriod() { return getPeriod(); }
Value SGDResidualOp::getStepCounter() { return getStep(); }

LogicalResult MomentumOp::verify() {
  double factor = getFactor().convertToFloat();
  if (!(factor > 0.0 && factor < 1.0))
    return emitOpError() << "factor must lie between 0 and 1, found " << factor;
  return verifyPeriod(*this, "period", getPeriod());
}

OpOperand &MomentumOp::getStateOperand() { return getVelocityMutable(); }
int64_t MomentumOp::getUpdatePeriod() { return getPeriod(); }
Value MomentumOp::getStepCounter() { return getStep(); }

LogicalResult AccumulateOp::verify() { return verifyPeriod(*this, "batch", getBatch()); }

OpOperand &AccumulateOp::getStateOperand() { return getSumMutable(); }
Value AccumulateOp::getStepCounter() { return getStep(); }

LogicalResult CheckFiniteOp::verify() {
  if (getValues().getTypes() != getResults().getTypes())
    return emitOpError("results must have the types of the values");
  return success();
}
