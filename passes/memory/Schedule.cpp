// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "MemoryModel.h"
#include "OrderSearch.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_SCHEDULE
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// Only the arena counts: state and constants lie elsewhere for good.
static OrderProblem getProblem(const MemoryModel &model) {
  OrderProblem problem;
  for (const Buffer &buffer : model.getBuffers())
    problem.buffers.push_back(
        {buffer.space == Space::Arena ? buffer.bytes : 0, buffer.liveAtStart, buffer.liveAtEnd});
  for (const Step &step : model.getSteps()) {
    SetVector<unsigned> touches(step.reads.begin(), step.reads.end());
    touches.insert(step.writes.begin(), step.writes.end());
    auto inPlace = llvm::map_to_vector(step.inPlace, [](const InPlace &inPlace) {
      return OrderProblem::InPlace{inPlace.operand, inPlace.saving};
    });
    problem.steps.push_back({step.predecessors, touches.takeVector(), inPlace, step.scratchBytes});
  }
  return problem;
}

/// Moves `op` before `end`, and before it the loads and views that it uses and that have not
/// moved yet.
static void moveWithViews(Operation *op, Operation *end, DenseSet<Operation *> &moved) {
  if (!moved.insert(op).second)
    return;
  for (Value operand : op->getOperands())
    if (Operation *definition = operand.getDefiningOp())
      moveWithViews(definition, end, moved);
  op->moveBefore(end);
}

static void reorder(func::FuncOp function, const MemoryModel &model, ArrayRef<unsigned> order) {
  Operation *end = function.getBody().front().getTerminator();
  auto original =
      llvm::map_to_vector(end->getBlock()->without_terminator(), [](Operation &op) { return &op; });
  DenseSet<Operation *> moved;
  for (unsigned step : order)
    moveWithViews(model.getSteps()[step].op, end, moved);
  for (Operation *op : original)
    moveWithViews(op, end, moved);
}

static DictionaryAttr describe(Builder &builder, const Order &order) {
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("lower_bound", builder.getI64IntegerAttr(order.lowerBound)),
       builder.getNamedAttr("optimal", builder.getBoolAttr(order.isOptimal())),
       builder.getNamedAttr("peak_live", builder.getI64IntegerAttr(order.peak))});
}

namespace {
struct SchedulePass : tte::impl::ScheduleBase<SchedulePass> {
  using ScheduleBase::ScheduleBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    FailureOr<MemoryModel> model = MemoryModel::build(function);
    if (failed(model))
      return signalPassFailure();
    Order order = findOrder(getProblem(*model), searchLimit);
    reorder(function, *model, order.steps);
    Builder builder(&getContext());
    function->setAttr("tte.schedule", describe(builder, order));
  }
};
} // namespace
