// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Dispatches.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// The ops that the results of `function` other than updated states need.
static DenseSet<Operation *> getForwardOps(func::FuncOp function) {
  DenseSet<Operation *> forward;
  SmallVector<Value> needed;
  for (OpOperand &operand : function.getBody().front().getTerminator()->getOpOperands())
    if (!function.getResultAttr(operand.getOperandNumber(), "tte.state"))
      needed.push_back(operand.get());
  while (!needed.empty()) {
    Value value = needed.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!op)
      continue;
    // Each result of a check needs the operand that it is, and no other.
    if (auto check = dyn_cast<CheckFiniteOp>(op))
      needed.push_back(check.getOperand(cast<OpResult>(value).getResultNumber()));
    else if (forward.insert(op).second)
      llvm::append_range(needed, op->getOperands());
  }
  return forward;
}

namespace {
struct FormDispatchesPass : tte::impl::FormDispatchesBase<FormDispatchesPass> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    DenseSet<Operation *> forward = getForwardOps(getOperation());
    for (Operation &op : llvm::make_early_inc_range(getOperation().getBody().front())) {
      if (!isComputation(&op))
        continue;
      bool isUpdate = isa<StateUpdateOpInterface>(op);
      formDispatch(&op, isUpdate                ? Phase::update
                        : forward.contains(&op) ? Phase::forward
                                                : Phase::backward);
    }
  }
};
} // namespace
