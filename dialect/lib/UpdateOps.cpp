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

LogicalResult SGDOp::verify() {
  RankedTensorType parameter = typeOf(getParameter());
  if (failed(verifyShape(*this, "gradient", typeOf(getGradient()), parameter.getShape())))
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

LogicalResult CheckFiniteOp::verify() {
  if (getValues().getTypes() != getResults().getTypes())
    return emitOpError("results must have the types of the values");
  return success();
}
