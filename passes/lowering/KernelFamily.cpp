// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelFamily.h"
#include "ChannelGroup.h"
#include "Elementwise.h"
#include "RowStream.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "tte/Passes/Scratch.h"

using namespace mlir;
using namespace tte;

const FamilyList &tte::getKernelFamilies() {
  static const FamilyList families = [] {
    FamilyList list;
    addDepthwiseInputGradientFamily(list);
    addDepthwiseForwardFamily(list);
    addDepthwiseWeightGradientFamily(list);
    addConvForwardFamily(list);
    addPanelInputGradientFamily(list);
    addConvInputGradientFamily(list);
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

/// How rarely the kernel of a region runs: the period of the updates that it yields.
static int64_t getPeriod(Value yielded) {
  auto update = yielded.getDefiningOp<StateUpdateOpInterface>();
  return update ? update.getUpdatePeriod() : 1;
}

/// A kernel runs as a whole or not at all, and only elementwise ones can be left out.
static LogicalResult verifyPeriods(Operation *owner, Region &region, Operation *root) {
  OperandRange yielded = region.front().getTerminator()->getOperands();
  int64_t period = yielded.empty() ? 1 : getPeriod(yielded.front());
  for (Value value : yielded)
    if (getPeriod(value) != period || (root && getPeriod(value) != 1))
      return owner->emitOpError("lower-kernels: an update every ")
             << getPeriod(value) << " steps must not share its kernel with what runs more often";
  return success();
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
  if (failed(verifyPeriods(owner, region, root)))
    return failure();
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

static void emitElements(KernelEmitter &kernel) {
  auto type = cast<RankedTensorType>(kernel.getYielded().front().getType());
  ArrayRef<int64_t> shape = type.getShape();
  if (shape.empty())
    return kernel.finish({0, 0, {}, 1});
  kernel.loopNest(shape.drop_back(), [&](ArrayRef<Index> outer) {
    // Eight elements at once share the index of a pixel and a byte of a packed mask.
    int64_t width = kernel.target.vectorWidth, count = std::max<int64_t>(8 / width, 1);
    kernel.loopTiles(shape.back(), count, width, [&](Index first, int64_t count, int64_t lanes) {
      for (int64_t i = 0; i < count; ++i) {
        Index channel = first + i * lanes;
        SmallVector<Index> indices(outer);
        indices.push_back(channel);
        kernel.finish({kernel.linearize(indices, shape), channel, indices, lanes});
      }
    });
  });
}

void tte::emitElementwiseKernel(KernelEmitter &kernel) {
  auto update = kernel.getYielded().front().getDefiningOp<StateUpdateOpInterface>();
  int64_t period = update ? update.getUpdatePeriod() : 1;
  if (period == 1)
    return emitElements(kernel);
  Value step = kernel.loadScalar(update.getStepCounter());
  OpBuilder &builder = kernel.builder;
  Value next = arith::AddIOp::create(builder, kernel.loc, step, kernel.i32(1));
  Value rest = arith::RemUIOp::create(builder, kernel.loc, next, kernel.i32(period));
  Value isLast =
      arith::CmpIOp::create(builder, kernel.loc, arith::CmpIPredicate::eq, rest, kernel.i32(0));
  auto branch = scf::IfOp::create(builder, kernel.loc, isLast, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  emitElements(kernel);
}

int64_t tte::getScratchBytes(DispatchOp dispatch) {
  if (dispatch.getStrategy() == Strategy::row_stream) {
    std::optional<RowChain> chain = RowChain::get(dispatch.getBody());
    return chain ? getRowStreamScratchBytes(*chain) : 0;
  }
  if (dispatch.getStrategy() == Strategy::channel_group) {
    std::optional<ChannelBlock> block = ChannelBlock::get(dispatch.getBody());
    return block ? getChannelGroupScratchBytes(*block) : 0;
  }
  FailureOr<Operation *> root = findRoot(dispatch, dispatch.getBody());
  return succeeded(root) && *root ? findFamily(*root)->getScratchBytes(*root) : 0;
}
