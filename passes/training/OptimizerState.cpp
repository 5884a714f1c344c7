// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "OptimizerState.h"

using namespace mlir;
using namespace tte;

SmallVector<SGDOp> tte::getUpdates(func::FuncOp step) {
  return llvm::to_vector(step.getOps<SGDOp>());
}

OpOperand &tte::getRealGradient(SGDOp update) {
  OpOperand *operand = &update.getGradientMutable();
  while (auto scale = operand->get().getDefiningOp<ScaleGradientOp>())
    operand = &scale.getGradientMutable();
  return *operand;
}

static bool isStateArgument(func::FuncOp function, unsigned index) {
  return bool(function.getArgAttr(index, "tte.state"));
}

/// Behind the states, before what a caller gives anew in each step.
static unsigned getStateCount(func::FuncOp function) {
  unsigned count = 0;
  while (count < function.getNumArguments() && isStateArgument(function, count))
    ++count;
  return count;
}

static unsigned getStateResultCount(func::FuncOp function) {
  unsigned count = 0;
  while (count < function.getNumResults() && function.getResultAttr(count, "tte.state"))
    ++count;
  return count;
}

/// A global of zeros of which every element changes; `name` must be free.
static FailureOr<ml_program::GlobalOp> addZeros(ml_program::GlobalOp parameter, StringRef name,
                                                RankedTensorType type) {
  auto module = parameter->getParentOfType<ModuleOp>();
  if (Operation *existing = module.lookupSymbol(name))
    return existing->emitOpError() << "has the name '" << name << "' of the optimizer state of '"
                                   << parameter.getSymName() << "'",
           failure();
  OpBuilder builder(parameter->getContext());
  builder.setInsertionPointAfter(parameter);
  auto zeros = DenseElementsAttr::get(type, builder.getZeroAttr(type.getElementType()));
  auto global =
      ml_program::GlobalOp::create(builder, parameter.getLoc(), name, type,
                                   /*is_mutable=*/false, zeros, builder.getStringAttr("private"));
  int64_t elements = type.getRank() ? type.getDimSize(0) : 1;
  global->setAttr("tte.update", UpdateAttr::get(builder.getContext(), 0, elements));
  return global;
}

FailureOr<BlockArgument> tte::addState(SGDOp update, StringRef suffix, RankedTensorType type) {
  auto step = update->getParentOfType<func::FuncOp>();
  auto parameter = dyn_cast<BlockArgument>(update.getParameter());
  FlatSymbolRefAttr name;
  if (parameter)
    name = step.getArgAttrOfType<FlatSymbolRefAttr>(parameter.getArgNumber(), "tte.state");
  auto global =
      name ? step->getParentOfType<ModuleOp>().lookupSymbol<ml_program::GlobalOp>(name.getAttr())
           : ml_program::GlobalOp();
  if (!global)
    return update.emitOpError("must update a state of @train_step to keep one of its optimizer"),
           failure();
  std::string stateName = (name.getValue() + "." + suffix).str();
  FailureOr<ml_program::GlobalOp> zeros = addZeros(global, stateName, type);
  if (failed(zeros))
    return failure();
  OpBuilder builder(update);
  auto attributes = builder.getDictionaryAttr(
      builder.getNamedAttr("tte.state", FlatSymbolRefAttr::get(zeros->getSymNameAttr())));
  unsigned argument = getStateCount(step), result = getStateResultCount(step);
  if (failed(step.insertArgument(argument, type, attributes, update.getLoc())) ||
      failed(step.insertResult(result, type, attributes)))
    return failure();
  Operation *terminator = step.getBody().front().getTerminator();
  terminator->insertOperands(result, step.getArgument(argument));
  return step.getArgument(argument);
}

void tte::returnState(BlockArgument argument, Value value) {
  Operation *terminator = argument.getOwner()->getTerminator();
  for (OpOperand &result : terminator->getOpOperands())
    if (result.get() == argument)
      result.set(value);
}
