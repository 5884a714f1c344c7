// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Dispatches.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tte;

bool tte::isComputation(Operation *op) {
  return isa<TTEDialect>(op->getDialect()) && !isa<DispatchOp, ReshapeOp, CheckFiniteOp>(op);
}

Operation *tte::getSingleUseProducer(Value value) {
  return value.hasOneUse() ? value.getDefiningOp() : nullptr;
}

/// The position of the old value among `inputs` if `value` is the new value of a state, else -1.
static int64_t getTiedInput(Value value, const SetVector<Value> &inputs) {
  auto update = value.getDefiningOp<StateUpdateOpInterface>();
  if (!update)
    return -1;
  const auto *old = llvm::find(inputs, update.getStateOperand().get());
  return old == inputs.end() ? -1 : old - inputs.begin();
}

DispatchOp tte::formDispatch(ArrayRef<Operation *> ops, Phase phase, Strategy strategy) {
  auto isInside = [&](Operation *op) { return op && llvm::is_contained(ops, op); };
  SetVector<Value> inputs;
  SmallVector<Value> outputs;
  SmallVector<Location> locations;
  for (Operation *op : ops) {
    locations.push_back(op->getLoc());
    for (Value operand : op->getOperands())
      if (!isInside(operand.getDefiningOp()))
        inputs.insert(operand);
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) { return !isInside(user); }))
        outputs.push_back(result);
  }
  auto tied =
      llvm::map_to_vector(outputs, [&](Value output) { return getTiedInput(output, inputs); });

  OpBuilder builder(ops.back());
  auto dispatch =
      DispatchOp::create(builder, builder.getFusedLoc(locations), ValueRange(outputs).getTypes(),
                         inputs.getArrayRef(), strategy, phase, tied);
  for (auto [output, result] : llvm::zip(outputs, dispatch.getResults()))
    output.replaceUsesWithIf(result, [&](OpOperand &use) { return !isInside(use.getOwner()); });
  Block *body = builder.createBlock(&dispatch.getBody());
  for (Operation *op : ops)
    op->moveBefore(body, body->end());
  for (Value input : inputs)
    input.replaceUsesWithIf(body->addArgument(input.getType(), input.getLoc()),
                            [&](OpOperand &use) { return isInside(use.getOwner()); });
  builder.setInsertionPointToEnd(body);
  YieldOp::create(builder, dispatch.getLoc(), outputs);
  return dispatch;
}

DenseSet<Operation *> tte::getForwardOps(func::FuncOp function) {
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
