// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that move elements.
#include "Grids.h"
#include "Patterns.h"

using namespace mlir;
using namespace tte;
using namespace tte::structured;

static Value lowerReshape(LocBuilder &builder, ReshapeOp op, ReshapeOp::Adaptor operands) {
  return reshape(builder, operands.getInput(), typeOf(op).getShape());
}

static Value lowerSlice(LocBuilder &builder, SliceOp op, SliceOp::Adaptor operands) {
  return slice(builder, operands.getInput(), op.getOffsets(), typeOf(op).getShape());
}

static Value lowerSliceGrad(LocBuilder &builder, SliceGradOp op, SliceGradOp::Adaptor operands) {
  SmallVector<int64_t> after;
  for (auto [size, offset, part] :
       llvm::zip(typeOf(op).getShape(), op.getOffsets(), typeOf(operands.getGradient()).getShape()))
    after.push_back(size - offset - part);
  return pad(builder, operands.getGradient(), getNumber(builder.getF32Type(), 0), op.getOffsets(),
             after);
}

static Value lowerPermute(LocBuilder &builder, PermuteOp op, PermuteOp::Adaptor operands) {
  // Dimension d of the result is dimension permutation[d] of the input.
  SmallVector<unsigned> permutation(op.getPermutation().begin(), op.getPermutation().end());
  AffineMap toResult = AffineMap::getPermutationMap(permutation, builder.getContext());
  return mapElements(builder, storageOf(op), {{operands.getInput(), inversePermutation(toResult)}},
                     [](LocBuilder &, ValueRange elements) { return elements[0]; });
}

void structured::populateShapePatterns(RewritePatternSet &patterns, const TypeConverter &types) {
  addLowerings(patterns, types, lowerReshape, lowerSlice, lowerSliceGrad, lowerPermute);
}
