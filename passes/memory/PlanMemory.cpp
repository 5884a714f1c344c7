// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "MemoryModel.h"
#include "OutlineKernels.h"
#include "tte/Passes/Layers.h"
#include "tte/Passes/Placement.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_PLANMEMORY
#include "tte/Passes/Passes.h.inc"
} // namespace tte

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

namespace {
/// Offsets of the states, the same in every function. The step counter comes first.
struct StateLayout {
  llvm::MapVector<Attribute, std::pair<int64_t, Type>> offsets; // by tte.state
  int64_t bytes = sizeof(int32_t);
};
} // namespace

static FailureOr<StateLayout> layOutStates(ArrayRef<func::FuncOp> functions, int64_t alignment) {
  StateLayout layout;
  for (func::FuncOp function : functions)
    for (BlockArgument argument : function.getArguments()) {
      Attribute state = function.getArgAttr(argument.getArgNumber(), "tte.state");
      if (!state)
        continue;
      int64_t offset = llvm::alignTo(layout.bytes, alignment);
      auto [entry, isNew] = layout.offsets.insert({state, {offset, argument.getType()}});
      if (!isNew && entry->second.second != argument.getType())
        return function.emitOpError() << "state " << state << " must have type "
                                      << entry->second.second << ", found " << argument.getType(),
               failure();
      if (isNew)
        layout.bytes = offset + getStorageBytes(argument.getType());
    }
  return layout;
}

/// The new value of each state must lie where the old one does.
static LogicalResult verifyStateResults(func::FuncOp function, const MemoryModel &model) {
  DenseMap<Attribute, unsigned> buffers;
  for (BlockArgument argument : function.getArguments())
    if (Attribute state = function.getArgAttr(argument.getArgNumber(), "tte.state"))
      buffers[state] = model.getResidence(argument).buffer;
  for (OpOperand &result : function.getBody().front().getTerminator()->getOpOperands()) {
    Attribute state = function.getResultAttr(result.getOperandNumber(), "tte.state");
    if (!state)
      continue;
    auto buffer = buffers.find(state);
    if (buffer == buffers.end() || buffer->second != model.getResidence(result.get()).buffer)
      return function.emitOpError() << "result " << result.getOperandNumber() << " must be state "
                                    << state << " updated in place";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Arena
//===----------------------------------------------------------------------===//

namespace {
/// A function and where its values go.
struct FunctionPlan {
  func::FuncOp function;
  MemoryModel model;
  SmallVector<Lifetime> lifetimes; // buffers of the model, then scratch of its steps
  SmallVector<OverlapPair> pairs;
  std::optional<unsigned> input;
  Placement placement;
};
} // namespace

/// Lifetimes in step numbers. Buffers outside the arena take none of it.
static SmallVector<Lifetime> getLifetimes(const MemoryModel &model) {
  int64_t end = model.getSteps().size();
  SmallVector<Lifetime> lifetimes;
  for (const Buffer &buffer : model.getBuffers()) {
    Lifetime lifetime;
    lifetime.bytes = buffer.space == Space::Arena ? buffer.bytes : 0;
    lifetime.first = buffer.liveAtStart ? -1 : end;
    lifetime.last = buffer.liveAtEnd ? end : -1;
    lifetimes.push_back(lifetime);
  }
  for (auto [time, step] : llvm::enumerate(model.getSteps())) {
    for (unsigned buffer : llvm::concat<const unsigned>(step.reads, step.writes)) {
      lifetimes[buffer].first = std::min(lifetimes[buffer].first, int64_t(time));
      lifetimes[buffer].last = std::max(lifetimes[buffer].last, int64_t(time));
    }
  }
  for (auto [time, step] : llvm::enumerate(model.getSteps()))
    lifetimes.push_back({step.scratchBytes, int64_t(time), int64_t(time)});
  return lifetimes;
}

/// The pairs of a step whose operand dies with it. Those that save the whole result exclude each
/// other, for each operand is as large as the result; of others the best one stands.
static void addPairs(const Step &step, ArrayRef<Lifetime> lifetimes,
                     SmallVectorImpl<OverlapPair> &pairs) {
  auto dies = [&](const InPlace &inPlace) {
    return lifetimes[inPlace.operand].last == lifetimes[inPlace.result].first;
  };
  auto savesAll = [&](const InPlace &inPlace) {
    return inPlace.saving == lifetimes[inPlace.result].bytes;
  };
  const InPlace *best = nullptr;
  for (const InPlace &inPlace : step.inPlace)
    if (dies(inPlace) && (!best || inPlace.saving > best->saving))
      best = &inPlace;
  for (const InPlace &inPlace : step.inPlace)
    if (&inPlace == best ||
        (dies(inPlace) && inPlace.result == best->result && savesAll(*best) && savesAll(inPlace)))
      pairs.push_back({inPlace.operand, inPlace.result, inPlace.overlap});
}

static std::optional<unsigned> findInput(func::FuncOp function, const MemoryModel &model) {
  for (BlockArgument argument : function.getArguments())
    if (getArgumentRole(function, argument.getArgNumber()) == Role::input)
      return model.getResidence(argument).buffer;
  return std::nullopt;
}

static FailureOr<FunctionPlan> readFunction(func::FuncOp function) {
  FailureOr<MemoryModel> model = MemoryModel::build(function);
  if (failed(model) || failed(model->verifyOrder()) || failed(verifyStateResults(function, *model)))
    return failure();
  SmallVector<Lifetime> lifetimes = getLifetimes(*model);
  SmallVector<OverlapPair> pairs;
  for (const Step &step : model->getSteps())
    addPairs(step, lifetimes, pairs);
  std::optional<unsigned> input = findInput(function, *model);
  return FunctionPlan{function, std::move(*model), std::move(lifetimes), std::move(pairs), input,
                      {}};
}

/// Places every function, the input at one offset in all of them. Returns the height.
static int64_t placeWithInputAt(MutableArrayRef<FunctionPlan> plans, int64_t offset,
                                const PlacementOptions &options) {
  int64_t height = 0;
  for (FunctionPlan &plan : plans) {
    if (plan.input)
      plan.lifetimes[*plan.input].fixedOffset = offset;
    plan.placement = placeBuffers(plan.lifetimes, plan.pairs, options);
    height = std::max(height, plan.placement.height);
  }
  return height;
}

/// The function that needs most chooses the place of the input; if that costs height elsewhere, the
/// bottom is tried. Bounds hold for every place of the input.
static int64_t placeFunctions(MutableArrayRef<FunctionPlan> plans,
                              const PlacementOptions &options) {
  SmallVector<int64_t> lowerBounds;
  int64_t offset = 0, largest = 0;
  for (FunctionPlan &plan : plans) {
    Placement placement = placeBuffers(plan.lifetimes, plan.pairs, options);
    lowerBounds.push_back(placement.lowerBound);
    if (placement.height <= largest)
      continue;
    largest = placement.height;
    offset = plan.input ? placement.offsets[*plan.input] : 0;
  }
  int64_t height = placeWithInputAt(plans, offset, options);
  if (height > largest && offset != 0) {
    int64_t atBottom = placeWithInputAt(plans, 0, options);
    height = atBottom < height ? atBottom : placeWithInputAt(plans, offset, options);
  }
  for (auto [plan, lowerBound] : llvm::zip(plans, lowerBounds))
    plan.placement.lowerBound = lowerBound;
  return height;
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

namespace {
/// Rewrites the body of a function to calls on buffers.
class FunctionConverter {
public:
  FunctionConverter(FunctionPlan &plan, const StateLayout &states, KernelModule &kernels)
      : plan(plan), function(plan.function), states(states), kernels(kernels),
        builder(function.getContext()) {}

  void convert() {
    Block &body = function.getBody().front();
    Operation *oldReturn = body.getTerminator();
    builder.setInsertionPoint(oldReturn);
    Operation *firstCall = func::ReturnOp::create(builder, oldReturn->getLoc());
    buffersEnd = firstCall;
    describeArguments();
    describeResults(oldReturn);
    builder.setInsertionPoint(oldReturn);
    for (auto [index, step] : llvm::enumerate(plan.model.getSteps())) {
      if (auto dispatch = dyn_cast<DispatchOp>(step.op))
        convertDispatch(dispatch, index);
      else
        convertCheck(cast<CheckFiniteOp>(step.op));
    }
    removeTensors(oldReturn);
  }

private:
  /// The buffer of `value`; buffers stand together at the head of the function.
  Value getBuffer(Value value) {
    unsigned index = plan.model.getResidence(value).buffer;
    RankedTensorType storage = getStorageTensor(cast<RankedTensorType>(value.getType()));
    auto type = MemRefType::get(storage.getShape(), storage.getElementType());
    Value &buffer = buffers[{index, type}];
    if (buffer)
      return buffer;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(buffersEnd);
    return buffer = createBuffer(value, index, type);
  }

  Value createBuffer(Value value, unsigned index, MemRefType type) {
    switch (plan.model.getBuffers()[index].space) {
    case Space::Flash:
      return FlashOp::create(builder, value.getLoc(), type,
                             FlatSymbolRefAttr::get(getGlobal(value)));
    case Space::State:
      return createSubspan(type, MemorySpace::state, getStateOffset(index));
    case Space::Arena:
      SubspanOp subspan = createSubspan(type, MemorySpace::arena, plan.placement.offsets[index]);
      subspan->setAttr("tte.value", builder.getI64IntegerAttr(index));
      return subspan;
    }
    llvm_unreachable("all spaces are handled");
  }

  SubspanOp createSubspan(MemRefType type, MemorySpace space, int64_t offset) {
    return SubspanOp::create(builder, function.getLoc(), type, space, offset);
  }

  /// The global behind `value`, through reshapes.
  static StringAttr getGlobal(Value value) {
    while (auto reshape = value.getDefiningOp<ReshapeOp>())
      value = reshape.getInput();
    auto load = value.getDefiningOp<ml_program::GlobalLoadConstOp>();
    return load.getGlobalAttr().getLeafReference();
  }

  int64_t getStateOffset(unsigned index) {
    for (BlockArgument argument : function.getArguments())
      if (plan.model.getResidence(argument).buffer == index)
        if (Attribute state = function.getArgAttr(argument.getArgNumber(), "tte.state"))
          return states.offsets.find(state)->second.first;
    return 0; // the step counter
  }

  /// Writes on the buffer of `value` what it is to the caller.
  void describe(Value value, StringRef name, Attribute what) {
    if (!what)
      return;
    Operation *buffer = getBuffer(value).getDefiningOp();
    buffer->setAttr(name, what);
    buffer->setAttr("tte.tensor", TypeAttr::get(value.getType()));
  }

  void describeArguments() {
    for (BlockArgument argument : function.getArguments())
      for (StringRef name : {"tte.role", "tte.state"})
        describe(argument, name, function.getArgAttr(argument.getArgNumber(), name));
  }

  void describeResults(Operation *oldReturn) {
    for (OpOperand &result : oldReturn->getOpOperands())
      describe(result.get(), "tte.role",
               function.getResultAttr(result.getOperandNumber(), "tte.role"));
  }

  void convertDispatch(DispatchOp dispatch, unsigned step) {
    auto getBuffers = [&](ValueRange values) {
      return llvm::map_to_vector(values, [&](Value value) { return getBuffer(value); });
    };
    int64_t macs = 0;
    dispatch.walk([&](MacOpInterface op) { macs += op.getMacs(); });
    CallOp::create(builder, dispatch.getLoc(), kernels.outline(dispatch),
                   getBuffers(dispatch.getInputs()), /*tables=*/ValueRange(), getScratch(step),
                   getBuffers(dispatch.getResults()), layerName(dispatch.getLoc()),
                   dispatch.getPhase(), macs);
  }

  SmallVector<Value> getScratch(unsigned step) {
    int64_t bytes = plan.model.getSteps()[step].scratchBytes;
    if (!bytes)
      return {};
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(buffersEnd);
    unsigned index = plan.model.getBuffers().size() + step;
    return {createSubspan(MemRefType::get({bytes}, builder.getI8Type()), MemorySpace::arena,
                          plan.placement.offsets[index])};
  }

  void convertCheck(CheckFiniteOp check) {
    for (Value value : check.getValues())
      RequireFiniteOp::create(builder, check.getLoc(), getBuffer(value));
  }

  void removeTensors(Operation *oldReturn) {
    Block &body = function.getBody().front();
    buffersEnd->moveBefore(&body, body.end());
    oldReturn->erase();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (isa<DispatchOp, CheckFiniteOp, ReshapeOp, ml_program::GlobalLoadConstOp>(op))
        op.erase();
    body.eraseArguments(0, body.getNumArguments());
    function.removeArgAttrsAttr();
    function.removeResAttrsAttr();
    function.setFunctionType(builder.getFunctionType({}, {}));
  }

  FunctionPlan &plan;
  func::FuncOp function;
  const StateLayout &states;
  KernelModule &kernels;
  OpBuilder builder;
  Operation *buffersEnd = nullptr;
  llvm::MapVector<std::pair<unsigned, Type>, Value> buffers;
};
} // namespace

static DictionaryAttr describeArena(Builder &builder, int64_t bytes, int64_t lowerBound) {
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes)),
       builder.getNamedAttr("lower_bound", builder.getI64IntegerAttr(lowerBound)),
       builder.getNamedAttr("optimal", builder.getBoolAttr(bytes == lowerBound))});
}

namespace {
struct PlanMemoryPass : tte::impl::PlanMemoryBase<PlanMemoryPass> {
  using PlanMemoryBase::PlanMemoryBase;

  void runOnOperation() override {
    ModuleOp program = getOperation();
    if (!llvm::isPowerOf2_64(arenaAlignment) || !llvm::isPowerOf2_64(stateAlignment)) {
      program.emitError("alignments of arena and state must be powers of two");
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> functions;
    for (auto function : program.getOps<func::FuncOp>())
      if (!function.isExternal())
        functions.push_back(function);
    FailureOr<StateLayout> states = layOutStates(functions, stateAlignment);
    if (failed(states))
      return signalPassFailure();
    SmallVector<FunctionPlan, 2> plans;
    for (func::FuncOp function : functions) {
      FailureOr<FunctionPlan> plan = readFunction(function);
      if (failed(plan))
        return signalPassFailure();
      plans.push_back(std::move(*plan));
    }
    PlacementOptions options;
    options.alignment = arenaAlignment;
    int64_t height = placeFunctions(plans, options);
    convert(plans, *states, height);
  }

  void convert(MutableArrayRef<FunctionPlan> plans, const StateLayout &states, int64_t height) {
    Builder builder(&getContext());
    KernelModule kernels(getOperation());
    int64_t lowerBound = 0;
    for (FunctionPlan &plan : plans) {
      FunctionConverter(plan, states, kernels).convert();
      plan.function->setAttr(
          "tte.arena", describeArena(builder, plan.placement.height, plan.placement.lowerBound));
      lowerBound = std::max(lowerBound, plan.placement.lowerBound);
    }
    getOperation()->setAttr("tte.arena", describeArena(builder, height, lowerBound));
    getOperation()->setAttr("tte.arena_alignment", builder.getI64IntegerAttr(arenaAlignment));
    getOperation()->setAttr("tte.state_bytes", builder.getI64IntegerAttr(states.bytes));
    getOperation()->setAttr("tte.state_alignment", builder.getI64IntegerAttr(stateAlignment));
  }
};
} // namespace
