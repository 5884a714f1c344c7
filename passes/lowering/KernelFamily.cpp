// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelFamily.h"
#include "Elementwise.h"
#include "tte/Passes/Scratch.h"

using namespace mlir;
using namespace tte;

const FamilyList &tte::getKernelFamilies() {
  static const FamilyList families = [] {
    FamilyList list;
    addDepthwiseInputGradientFamily(list);
    addDepthwiseFamilies(list);
    addConvForwardFamily(list);
    addPointwiseInputGradientFamily(list);
    addConvInputGradientFamily(list);
    addPointwiseWeightGradientFamily(list);
    addConvWeightGradientFamily(list);
    addBiasGradientFamily(list);
    addPoolingFamilies(list);
    addDataMovementFamilies(list);
    addLossFamilies(list);
    addClampMaskFamily(list);
    return list;
  }();
  return families;
}

const KernelFamily *tte::findFamily(Operation *root) {
  for (const std::unique_ptr<KernelFamily> &family : getKernelFamilies())
    if (family->matches(root))
      return family.get();
  return nullptr;
}

FailureOr<Operation *> tte::findRoot(Operation *owner, Region &region) {
  Operation *root = nullptr;
  for (Operation &op : region.front().without_terminator()) {
    if (isElementwise(&op))
      continue;
    if (root) {
      InFlightDiagnostic error = owner->emitOpError(
          "lower-kernels: a kernel has at most one op that is not elementwise, found another");
      error.attachNote(root->getLoc()) << "the first is '" << root->getName() << "'";
      error.attachNote(op.getLoc()) << "the other is '" << op.getName() << "'";
      return failure();
    }
    root = &op;
  }
  if (!root)
    return root;
  for (Value operand : root->getOperands())
    if (!isa<BlockArgument>(operand))
      return owner->emitOpError("lower-kernels: operands of '")
             << root->getName() << "' must be inputs of the kernel, found the result of '"
             << operand.getDefiningOp()->getName() << "'";
  if (!findFamily(root))
    return owner->emitOpError("lower-kernels: no kernel computes '") << root->getName() << "'";
  return root;
}

void tte::emitElementwiseKernel(KernelEmitter &kernel) {
  auto type = cast<RankedTensorType>(kernel.getYielded().front().getType());
  ArrayRef<int64_t> shape = type.getShape();
  if (shape.empty())
    return kernel.finish({0, 0, {}, 1});
  kernel.loopNest(shape.drop_back(), [&](ArrayRef<Index> outer) {
    kernel.loopLanes(shape.back(), kernel.target.vectorWidth, [&](Index channel, int64_t lanes) {
      SmallVector<Index> indices(outer);
      indices.push_back(channel);
      kernel.finish({kernel.linearize(indices, shape), channel, indices, lanes});
    });
  });
}

int64_t tte::getScratchBytes(DispatchOp dispatch) {
  FailureOr<Operation *> root = findRoot(dispatch, dispatch.getBody());
  return succeeded(root) && *root ? findFamily(*root)->getScratchBytes(*root) : 0;
}
