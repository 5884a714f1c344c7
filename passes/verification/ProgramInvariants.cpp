// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Invariants of programs on tensors.
#include "Invariants.h"

using namespace mlir;
using namespace tte;

static bool isOfProgram(Operation *op) {
  return isa<TTEDialect, ml_program::MLProgramDialect, func::FuncDialect>(op->getDialect());
}

/// Walks the ops inside the functions of `program`.
static LogicalResult walkFunctions(ModuleOp program,
                                   function_ref<LogicalResult(Operation *)> check) {
  WalkResult result = program.walk([&](Operation *op) {
    if (!op->getParentOfType<func::FuncOp>())
      return WalkResult::advance();
    return failed(check(op)) ? WalkResult::interrupt() : WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult tte::verifyQuantizedTypes(ModuleOp program) {
  WalkResult result = program.walk([](Operation *op) {
    if (isOfProgram(op))
      return WalkResult::advance();
    SmallVector<Type> types(op->getOperandTypes());
    llvm::append_range(types, op->getResultTypes());
    for (Type type : types)
      if (getQuantizedElement(type)) {
        op->emitOpError() << "must not touch the quantized type " << type;
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult tte::verifyComputation(ModuleOp program) {
  return walkFunctions(program, [](Operation *op) -> LogicalResult {
    if (!isOfProgram(op))
      return op->emitOpError("does not belong into a program");
    for (Type type : op->getResultTypes()) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor || !tensor.hasStaticShape())
        return op->emitOpError() << "must have results of static shape, found " << type;
    }
    return success();
  });
}

LogicalResult tte::verifyReal(ModuleOp program) {
  return walkFunctions(program, [](Operation *op) -> LogicalResult {
    for (Type type : op->getResultTypes())
      if (getQuantizedElement(type))
        return op->emitOpError() << "is quantized before tte-quantize: " << type;
    return success();
  });
}

LogicalResult tte::verifyLayersAreQuantized(ModuleOp program) {
  return walkFunctions(program, [](Operation *op) -> LogicalResult {
    if (op->hasAttr("tte.range"))
      return op->emitOpError("has a calibrated range after tte-quantize");
    auto layer = dyn_cast<AffineOpInterface>(op);
    if (layer && !isQuantizedTensor(layer.getInput().getType()))
      return op->emitOpError() << "must read a quantized value, found "
                               << layer.getInput().getType();
    return success();
  });
}

//===----------------------------------------------------------------------===//
// Training step
//===----------------------------------------------------------------------===//

/// The argument that holds `state`, or null.
static BlockArgument findState(func::FuncOp function, Attribute state) {
  for (BlockArgument argument : function.getArguments())
    if (function.getArgAttr(argument.getArgNumber(), "tte.state") == state)
      return argument;
  return {};
}

static LogicalResult verifyRoles(func::FuncOp function) {
  auto count = [&](Role role, unsigned size, auto getAttr) {
    unsigned found = 0;
    for (unsigned index = 0; index < size; ++index)
      found += getAttr(index) == Attribute(RoleAttr::get(function.getContext(), role));
    return found;
  };
  for (Role role : {Role::input, Role::label, Role::learning_rate, Role::step}) {
    unsigned found = count(role, function.getNumArguments(),
                           [&](unsigned index) { return function.getArgAttr(index, "tte.role"); });
    if (found != 1)
      return function.emitOpError()
             << "must have one argument of role " << stringifyRole(role) << ", found " << found;
  }
  for (Role role : {Role::loss, Role::scores}) {
    unsigned found = count(role, function.getNumResults(), [&](unsigned index) {
      return function.getResultAttr(index, "tte.role");
    });
    if (found != 1)
      return function.emitOpError()
             << "must have one result of role " << stringifyRole(role) << ", found " << found;
  }
  return success();
}

/// The position of the result that is the new value of `state`, or an error if it is not one.
static FailureOr<unsigned> findStateResult(func::FuncOp function, Attribute state) {
  std::optional<unsigned> found;
  for (unsigned index = 0; index < function.getNumResults(); ++index) {
    if (function.getResultAttr(index, "tte.state") != state)
      continue;
    if (found)
      return function.emitOpError() << "returns state " << state << " twice", failure();
    found = index;
  }
  if (!found)
    return function.emitOpError() << "must return the new value of state " << state, failure();
  return *found;
}

/// Whether `op` or what it depends on passed a check.
static bool dependsOnCheck(Operation *op) {
  SmallVector<Operation *> worklist{op};
  DenseSet<Operation *> seen;
  while (!worklist.empty()) {
    Operation *current = worklist.pop_back_val();
    if (isa<CheckFiniteOp>(current))
      return true;
    for (Value operand : current->getOperands())
      if (Operation *definition = operand.getDefiningOp())
        if (seen.insert(definition).second)
          worklist.push_back(definition);
  }
  return false;
}

/// The operand whose memory `value` takes, if an op made it from an old value: null otherwise.
static Value getOldValue(Value value) {
  if (auto update = value.getDefiningOp<StateUpdateOpInterface>())
    return update.getStateOperand().get();
  auto dispatch = value.getDefiningOp<DispatchOp>();
  if (!dispatch)
    return {};
  int64_t tied = dispatch.getTied()[cast<OpResult>(value).getResultNumber()];
  return tied < 0 ? Value() : dispatch.getInputs()[tied];
}

static LogicalResult verifyNewValue(func::FuncOp function, Attribute state) {
  FailureOr<unsigned> index = findStateResult(function, state);
  if (failed(index))
    return failure();
  Value old = findState(function, state);
  Value result = function.getBody().front().getTerminator()->getOperand(*index);
  if (result == old)
    return success();
  if (!old || getOldValue(result) != old)
    return function.emitOpError() << "result " << *index << " must be an update of state " << state;
  if (!dependsOnCheck(result.getDefiningOp()))
    return result.getDefiningOp()->emitOpError()
           << "updates state " << state << " without a tte.check_finite before";
  return success();
}

LogicalResult tte::verifyTrainStep(ModuleOp program) {
  auto function = program.lookupSymbol<func::FuncOp>("train_step");
  if (!function)
    return program.emitError("must have a function @train_step");
  if (failed(verifyRoles(function)))
    return failure();
  DenseSet<Attribute> states;
  for (unsigned index = 0; index < function.getNumArguments(); ++index) {
    Attribute state = function.getArgAttr(index, "tte.state");
    if (!state)
      continue;
    if (!states.insert(state).second)
      return function.emitOpError() << "takes state " << state << " twice";
    if (failed(verifyNewValue(function, state)))
      return failure();
  }
  return success();
}

LogicalResult tte::verifyStatesTrain(ModuleOp program) {
  DenseSet<Attribute> states;
  for (auto function : program.getOps<func::FuncOp>())
    for (unsigned index = 0; index < function.getNumArguments(); ++index) {
      auto state = function.getArgAttrOfType<FlatSymbolRefAttr>(index, "tte.state");
      if (!state)
        continue;
      states.insert(state);
      auto global = program.lookupSymbol<ml_program::GlobalOp>(state.getAttr());
      if (!global)
        return function.emitOpError() << "state " << state << " names no global";
      if (!global->hasAttr("tte.update"))
        return function.emitOpError() << "state " << state << " does not train (tte.update)";
    }
  for (auto global : program.getOps<ml_program::GlobalOp>())
    if (global->hasAttr("tte.update") && !states.contains(FlatSymbolRefAttr::get(global)))
      return global.emitOpError("trains (tte.update), but no function takes it as state");
  return success();
}

//===----------------------------------------------------------------------===//
// Dispatches
//===----------------------------------------------------------------------===//

static LogicalResult verifyBodyIsDispatched(func::FuncOp function) {
  for (Operation &op : function.getBody().front())
    if (isa<TTEDialect>(op.getDialect()) && !isa<DispatchOp, ReshapeOp, CheckFiniteOp>(op))
      return op.emitOpError("must be in a tte.dispatch");
  return success();
}

static LogicalResult verifyUpdatesAreTied(DispatchOp dispatch) {
  for (auto [yielded, tied] :
       llvm::zip(dispatch.getBody().front().getTerminator()->getOperands(), dispatch.getTied()))
    if (tied < 0 && yielded.getDefiningOp<StateUpdateOpInterface>())
      return dispatch.emitOpError("yields the new value of a state and must tie it to the old");
  return success();
}

LogicalResult tte::verifyDispatched(ModuleOp program) {
  for (auto function : program.getOps<func::FuncOp>())
    if (!function.isExternal() && failed(verifyBodyIsDispatched(function)))
      return failure();
  return walkFunctions(program, [](Operation *op) -> LogicalResult {
    if (op->getParentOfType<DispatchOp>() && isa<DispatchOp, CheckFiniteOp>(op))
      return op->emitOpError("must not be in a tte.dispatch");
    auto dispatch = dyn_cast<DispatchOp>(op);
    return dispatch ? verifyUpdatesAreTied(dispatch) : success();
  });
}
