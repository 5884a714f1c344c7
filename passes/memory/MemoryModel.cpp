// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "MemoryModel.h"
#include "tte/Passes/Layers.h"
#include "tte/Passes/Scratch.h"

using namespace mlir;
using namespace tte;

int64_t tte::getStorageBytes(Type type) {
  RankedTensorType storage = getStorageTensor(cast<RankedTensorType>(type));
  return storage.getNumElements() * llvm::divideCeil(storage.getElementTypeBitWidth(), 8);
}

static std::optional<Role> asRole(Attribute attribute) {
  auto role = dyn_cast_or_null<RoleAttr>(attribute);
  return role ? std::optional<Role>(role.getValue()) : std::nullopt;
}

std::optional<Role> tte::getArgumentRole(func::FuncOp function, unsigned index) {
  return asRole(function.getArgAttr(index, "tte.role"));
}

std::optional<Role> tte::getResultRole(func::FuncOp function, unsigned index) {
  return asRole(function.getResultAttr(index, "tte.role"));
}

unsigned MemoryModel::addBuffer(Value value, Space space) {
  Buffer buffer;
  buffer.space = space;
  buffer.bytes = getStorageBytes(value.getType());
  buffer.liveAtStart = isa<BlockArgument>(value);
  buffers.push_back(buffer);
  return buffers.size() - 1;
}

void MemoryModel::addDispatch(DispatchOp dispatch) {
  int position = steps.size();
  Step step;
  step.op = dispatch;
  step.scratchBytes = getScratchBytes(dispatch);
  for (Value input : dispatch.getInputs())
    step.reads.push_back(getResidence(input).buffer);
  for (auto [result, tied] : llvm::zip(dispatch.getResults(), dispatch.getTied())) {
    Residence residence{0, 0, position};
    if (tied >= 0) {
      const Residence &old = getResidence(dispatch.getInputs()[tied]);
      residence.buffer = old.buffer;
      residence.generation = old.generation + 1;
    } else {
      residence.buffer = addBuffer(result, Space::Arena);
    }
    step.writes.push_back(residence.buffer);
    residences[result] = residence;
  }
  addInPlace(step);
  steps.push_back(std::move(step));
}

/// Several operands may be the same bytes: what is safe must be so for each of them.
void MemoryModel::addInPlace(Step &step) {
  auto dispatch = cast<DispatchOp>(step.op);
  for (auto [result, tied] : llvm::enumerate(dispatch.getTied())) {
    if (tied >= 0)
      continue;
    unsigned resultBuffer = getResidence(dispatch.getResult(result)).buffer;
    llvm::MapVector<unsigned, std::optional<Overlap>> overlaps;
    for (auto [operand, input] : llvm::enumerate(dispatch.getInputs())) {
      unsigned buffer = getResidence(input).buffer;
      if (buffers[buffer].space != Space::Arena || llvm::is_contained(step.writes, buffer))
        continue;
      std::optional<Overlap> overlap = getOverlap(dispatch, operand, result);
      auto [entry, isNew] = overlaps.try_emplace(buffer, overlap);
      if (!isNew)
        entry->second = intersect(entry->second, overlap);
    }
    for (auto [buffer, overlap] : overlaps) {
      if (!overlap)
        continue;
      int64_t bytes = buffers[buffer].bytes, resultBytes = buffers[resultBuffer].bytes;
      int64_t saving = bytes + resultBytes - overlap->getExtent(bytes, resultBytes);
      if (saving > 0)
        step.inPlace.push_back({buffer, resultBuffer, *overlap, saving});
    }
  }
}

void MemoryModel::addCheck(CheckFiniteOp check) {
  int position = steps.size();
  Step step;
  step.op = check;
  for (auto [value, result] : llvm::zip(check.getValues(), check.getResults())) {
    Residence residence = getResidence(value);
    step.reads.push_back(residence.buffer);
    residence.producer = position;
    residences[result] = residence;
  }
  steps.push_back(std::move(step));
}

LogicalResult MemoryModel::addOp(Operation *op) {
  if (auto dispatch = dyn_cast<DispatchOp>(op))
    return addDispatch(dispatch), success();
  if (auto check = dyn_cast<CheckFiniteOp>(op))
    return addCheck(check), success();
  if (auto reshape = dyn_cast<ReshapeOp>(op)) {
    Residence source = getResidence(reshape.getInput());
    residences[reshape.getResult()] = source;
    return success();
  }
  if (auto load = dyn_cast<ml_program::GlobalLoadConstOp>(op)) {
    unsigned buffer = addBuffer(load.getResult(), Space::Flash);
    residences[load.getResult()] = {buffer, 0, -1};
    return success();
  }
  return op->emitError() << "'" << op->getName() << "' must be in a tte.dispatch";
}

/// Appends `predecessor` unless it is none or the step itself.
static void addPredecessor(Step &step, int position, int predecessor) {
  if (predecessor >= 0 && predecessor != position)
    step.predecessors.push_back(predecessor);
}

LogicalResult MemoryModel::addPredecessors() {
  // Per buffer and generation: the step that overwrites it.
  DenseMap<std::pair<unsigned, unsigned>, int> overwriters;
  for (auto [position, step] : llvm::enumerate(steps)) {
    auto dispatch = dyn_cast<DispatchOp>(step.op);
    if (!dispatch)
      continue;
    for (int64_t tied : dispatch.getTied()) {
      if (tied < 0)
        continue;
      Residence old = getResidence(dispatch.getInputs()[tied]);
      if (buffers[old.buffer].space == Space::Flash)
        return dispatch.emitOpError("overwrites a constant");
      auto [previous, isFirst] =
          overwriters.try_emplace({old.buffer, old.generation}, int(position));
      if (isFirst)
        continue;
      InFlightDiagnostic diagnostic =
          dispatch.emitOpError("overwrites a value that another dispatch overwrites");
      diagnostic.attachNote(steps[previous->second].op->getLoc()) << "the other dispatch";
      return diagnostic;
    }
  }
  for (auto [position, step] : llvm::enumerate(steps)) {
    for (Value operand : step.op->getOperands()) {
      Residence residence = getResidence(operand);
      addPredecessor(step, position, residence.producer);
      auto overwriter = overwriters.find({residence.buffer, residence.generation});
      if (overwriter != overwriters.end())
        addPredecessor(steps[overwriter->second], overwriter->second, position);
    }
  }
  for (Step &step : steps) {
    llvm::sort(step.predecessors);
    step.predecessors.erase(llvm::unique(step.predecessors), step.predecessors.end());
  }
  return verifyOrderExists();
}

LogicalResult MemoryModel::verifyOrderExists() const {
  SmallVector<bool> executed(steps.size());
  auto isReady = [&](const Step &step) {
    return llvm::all_of(step.predecessors, [&](unsigned other) { return executed[other]; });
  };
  for (bool hasRun = true; hasRun;) {
    hasRun = false;
    for (auto [position, step] : llvm::enumerate(steps))
      if (!executed[position] && isReady(step))
        executed[position] = hasRun = true;
  }
  auto *waiting = llvm::find(executed, false);
  if (waiting == executed.end())
    return success();
  Operation *op = steps[waiting - executed.begin()].op;
  return op->emitOpError()
         << "overwrites a state that is read by a dispatch that itself overwrites what this one "
            "reads";
}

FailureOr<MemoryModel> MemoryModel::build(func::FuncOp function) {
  MemoryModel model;
  Block &body = function.getBody().front();
  for (BlockArgument argument : body.getArguments()) {
    bool isState = function.getArgAttr(argument.getArgNumber(), "tte.state") ||
                   getArgumentRole(function, argument.getArgNumber()) == Role::step;
    unsigned buffer = model.addBuffer(argument, isState ? Space::State : Space::Arena);
    model.residences[argument] = {buffer, 0, -1};
    model.buffers[buffer].liveAtEnd = isState;
  }
  for (Operation &op : body.without_terminator())
    if (failed(model.addOp(&op)))
      return failure();
  for (Value result : body.getTerminator()->getOperands())
    model.buffers[model.getResidence(result).buffer].liveAtEnd = true;
  if (failed(model.addPredecessors()))
    return failure();
  return model;
}

LogicalResult MemoryModel::verifyOrder() const {
  for (auto [position, step] : llvm::enumerate(steps))
    for (unsigned predecessor : step.predecessors) {
      if (predecessor < position)
        continue;
      InFlightDiagnostic diagnostic =
          step.op->emitOpError() << "of layer '" << layerName(step.op->getLoc())
                                 << "' overwrites a value before its last reader; run tte-schedule";
      diagnostic.attachNote(steps[predecessor].op->getLoc())
          << "reader of the old value, of layer '" << layerName(steps[predecessor].op->getLoc())
          << "'";
      return diagnostic;
    }
  return success();
}
