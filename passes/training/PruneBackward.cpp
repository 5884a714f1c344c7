// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "NarrowGradients.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "tte/Passes/Origin.h"
#include "tte/Passes/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_PRUNEBACKWARD
#include "tte/Passes/Passes.h.inc"
} // namespace tte

namespace {
/// The elements [offset, offset + size) of a parameter along an axis.
struct ChannelRange {
  int64_t axis, offset, size;

  RankedTensorType typeIn(RankedTensorType whole) const {
    SmallVector<int64_t> shape(whole.getShape());
    shape[axis] = size;
    return getSlicedType(whole, offsetsIn(whole), shape);
  }
  SmallVector<int64_t> offsetsIn(RankedTensorType whole) const {
    SmallVector<int64_t> offsets(whole.getRank(), 0);
    offsets[axis] = offset;
    return offsets;
  }
  bool isWhole(RankedTensorType whole) const { return size == whole.getDimSize(axis); }
};

/// Takes the parameters of @forward and @train_step apart into what trains and what is frozen.
class Pruner {
public:
  Pruner(ModuleOp module, func::FuncOp forward, func::FuncOp step)
      : symbols(module), functions{forward, step}, step(step) {}

  LogicalResult run();

private:
  LogicalResult checkTrains(ml_program::GlobalOp global);
  FailureOr<ChannelRange> trainedRange(ml_program::GlobalOp global, Value state);
  LogicalResult narrow(ml_program::GlobalOp global, ChannelRange range);
  ml_program::GlobalOp addFrozenPart(ml_program::GlobalOp global, ChannelRange range,
                                     StringRef suffix);
  void freezeRest();

  SymbolTable symbols;
  SmallVector<func::FuncOp> functions;
  func::FuncOp step;
};
} // namespace

static FlatSymbolRefAttr stateName(func::FuncOp function, BlockArgument argument) {
  return function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), "tte.state");
}

/// The argument of `function` that holds the parameter `name`, or null.
static BlockArgument findState(func::FuncOp function, StringRef name) {
  for (BlockArgument argument : function.getArguments())
    if (FlatSymbolRefAttr state = stateName(function, argument))
      if (state.getValue() == name)
        return argument;
  return {};
}

/// The operand by which `function` returns the new value of the parameter `name`, or null.
static OpOperand *findNewState(func::FuncOp function, StringRef name) {
  Operation *terminator = function.getBody().front().getTerminator();
  for (OpOperand &result : terminator->getOpOperands()) {
    auto state =
        function.getResultAttrOfType<FlatSymbolRefAttr>(result.getOperandNumber(), "tte.state");
    if (state && state.getValue() == name)
      return &result;
  }
  return nullptr;
}

static void syncType(func::FuncOp function) {
  Block &body = function.getBody().front();
  function.setType(FunctionType::get(function.getContext(), body.getArgumentTypes(),
                                     body.getTerminator()->getOperandTypes()));
}

static ml_program::GlobalLoadConstOp loadAtStart(func::FuncOp function,
                                                 ml_program::GlobalOp global) {
  auto builder = OpBuilder::atBlockBegin(&function.getBody().front());
  return ml_program::GlobalLoadConstOp::create(builder, global.getLoc(), global.getType(),
                                               FlatSymbolRefAttr::get(global.getSymNameAttr()));
}

/// The elements of `values` in `range`; `type` is their type as stored.
static DenseElementsAttr sliceValues(DenseElementsAttr values, ChannelRange range,
                                     RankedTensorType type) {
  if (values.isSplat())
    return values.resizeSplat(type);
  ArrayRef<int64_t> shape = values.getType().getShape();
  int64_t outer = 1, inner = type.getElementTypeBitWidth() / 8;
  for (int64_t d = 0; d < range.axis; ++d)
    outer *= shape[d];
  for (int64_t size : shape.drop_front(range.axis + 1))
    inner *= size;
  SmallVector<char> bytes;
  for (int64_t i = 0; i < outer; ++i)
    llvm::append_range(bytes,
                       values.getRawData().slice((i * shape[range.axis] + range.offset) * inner,
                                                 range.size * inner));
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}

LogicalResult Pruner::checkTrains(ml_program::GlobalOp global) {
  OpOperand *updated = findNewState(step, global.getSymName());
  if (!updated)
    return global.emitOpError() << "'" << global.getSymName()
                                << "' is marked with tte.update but is no state of @train_step";
  if (!updated->get().getDefiningOp<SGDOp>())
    return global.emitOpError() << "'" << global.getSymName()
                                << "' is marked with tte.update but cannot train: the loss does "
                                   "not depend on it";
  return success();
}

/// The range that `tte.update` names. Channels are those along which the readers of a weight take
/// it in parts; other parameters count along their first dimension.
FailureOr<ChannelRange> Pruner::trainedRange(ml_program::GlobalOp global, Value state) {
  auto type = cast<RankedTensorType>(state.getType());
  auto update = global->getAttrOfType<UpdateAttr>("tte.update");
  ChannelRange range{0, update.getOffset(), update.getSize()};
  for (OpOperand &use : state.getUses())
    if (auto weighted = dyn_cast<WeightedOpInterface>(use.getOwner()))
      if (llvm::is_contained(OperandRange(weighted.getWeightsMutable()), state))
        range.axis = weighted.getWeightAxis();
  int64_t extent = type.getDimSize(range.axis);
  if (range.offset + range.size > extent)
    return global.emitOpError() << "'" << global.getSymName() << "' shall train channels ["
                                << range.offset << ", " << range.offset + range.size
                                << "), expected a range within its " << extent << " channels",
           failure();
  return range;
}

ml_program::GlobalOp Pruner::addFrozenPart(ml_program::GlobalOp global, ChannelRange range,
                                           StringRef suffix) {
  RankedTensorType type = range.typeIn(cast<RankedTensorType>(global.getType()));
  OpBuilder builder(global->getContext());
  auto part = ml_program::GlobalOp::create(
      builder, global.getLoc(), (global.getSymName() + suffix).str(), type, /*is_mutable=*/false,
      sliceValues(cast<DenseElementsAttr>(global.getValueAttr()), range, getStorageTensor(type)),
      global.getSymVisibilityAttr());
  symbols.insert(part, std::next(global->getIterator()));
  return part;
}

/// Whether every use of `state` allows that it is but a part of the parameter.
static LogicalResult checkAllowsParts(ml_program::GlobalOp global, Value state) {
  for (OpOperand &use : state.getUses()) {
    Operation *reader = use.getOwner();
    auto weighted = dyn_cast<WeightedOpInterface>(reader);
    bool isWeight =
        weighted && llvm::is_contained(OperandRange(weighted.getWeightsMutable()), state);
    if (isWeight ? weighted.allowsWeightParts() : isa<StateUpdateOpInterface>(reader))
      continue;
    return reader->emitOpError() << "cannot read '" << global.getSymName()
                                 << "' in parts, so that it trains as a whole or not at all";
  }
  return success();
}

/// Makes the state of `global` the range that trains; readers get the rest from flash.
LogicalResult Pruner::narrow(ml_program::GlobalOp global, ChannelRange range) {
  auto whole = cast<RankedTensorType>(global.getType());
  RankedTensorType trained = range.typeIn(whole);
  SmallVector<int64_t> offsets = range.offsetsIn(whole);
  for (func::FuncOp function : functions)
    if (failed(checkAllowsParts(global, findState(function, global.getSymName()))))
      return failure();
  if (!isa_and_nonnull<DenseElementsAttr>(global.getValueAttr()))
    return global.emitOpError() << "'" << global.getSymName()
                                << "' needs a dense initial value to train in part";

  int64_t end = range.offset + range.size, extent = whole.getDimSize(range.axis);
  ml_program::GlobalOp before, after;
  if (end < extent)
    after = addFrozenPart(global, {range.axis, end, extent - end}, ".after");
  if (range.offset > 0)
    before = addFrozenPart(global, {range.axis, 0, range.offset}, ".before");

  for (func::FuncOp function : functions) {
    BlockArgument state = findState(function, global.getSymName());
    SmallVector<Value> parts;
    if (before)
      parts.push_back(loadAtStart(function, before));
    parts.push_back(state);
    if (after)
      parts.push_back(loadAtStart(function, after));
    state.setType(trained);
    for (Operation *reader : llvm::SetVector<Operation *>(state.user_begin(), state.user_end()))
      if (auto weighted = dyn_cast<WeightedOpInterface>(reader))
        weighted.getWeightsMutable().assign(parts);
  }

  auto update = findNewState(step, global.getSymName())->get().getDefiningOp<SGDOp>();
  OpBuilder builder(update);
  auto gradientType = cast<RankedTensorType>(update.getGradient().getType());
  Value gradient = SliceOp::create(builder, update.getLoc(), range.typeIn(gradientType),
                                   update.getGradient(), offsets);
  update.getGradientMutable().assign(gradient);
  narrowOrigin(update, global, whole, offsets, trained.getShape());
  update.getResult().setType(trained);

  global.setType(trained);
  global.setValueAttr(sliceValues(cast<DenseElementsAttr>(global.getValueAttr()), range,
                                  getStorageTensor(trained)));
  global->setAttr("tte.update", UpdateAttr::get(builder.getContext(), 0, range.size));
  return success();
}

/// Turns states whose globals have no `tte.update` into constants.
void Pruner::freezeRest() {
  for (func::FuncOp function : functions) {
    llvm::BitVector arguments(function.getNumArguments()), results(function.getNumResults());
    for (BlockArgument argument : function.getArguments()) {
      FlatSymbolRefAttr state = stateName(function, argument);
      if (!state)
        continue;
      auto global = symbols.lookup<ml_program::GlobalOp>(state.getValue());
      if (!global || global->hasAttr("tte.update"))
        continue;
      argument.replaceAllUsesWith(loadAtStart(function, global));
      arguments.set(argument.getArgNumber());
      if (OpOperand *updated = findNewState(function, state.getValue()))
        results.set(updated->getOperandNumber());
    }
    function.getBody().front().getTerminator()->eraseOperands(results);
    (void)function.eraseResults(results);
    (void)function.eraseArguments(arguments);
  }
}

LogicalResult Pruner::run() {
  bool any = false;
  auto module = step->getParentOfType<ModuleOp>();
  for (auto global : llvm::make_early_inc_range(module.getOps<ml_program::GlobalOp>())) {
    if (!global->hasAttr("tte.update"))
      continue;
    any = true;
    if (failed(checkTrains(global)))
      return failure();
    FailureOr<ChannelRange> range = trainedRange(global, findState(step, global.getSymName()));
    if (failed(range) || (!range->isWhole(cast<RankedTensorType>(global.getType())) &&
                          failed(narrow(global, *range))))
      return failure();
  }
  if (!any)
    return module.emitError("no parameter is marked with tte.update, so there is nothing to train");
  for (func::FuncOp function : functions)
    syncType(function);
  freezeRest();

  RewritePatternSet patterns(module.getContext());
  populateNarrowGradientPatterns(patterns);
  if (failed(applyPatternsGreedily(step, std::move(patterns))))
    return failure();
  keepNeededChannels(step);
  return success();
}

namespace {
struct PruneBackwardPass : tte::impl::PruneBackwardBase<PruneBackwardPass> {
  void runOnOperation() override {
    auto forward = getOperation().lookupSymbol<func::FuncOp>("forward");
    auto step = getOperation().lookupSymbol<func::FuncOp>("train_step");
    if (!forward || !step) {
      getOperation().emitError("the module needs @forward and @train_step; run tte-autodiff first");
      return signalPassFailure();
    }
    if (failed(Pruner(getOperation(), forward, step).run()))
      signalPassFailure();
  }
};
} // namespace
