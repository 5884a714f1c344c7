// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "mlir/IR/IRMapping.h"
#include "tte/Passes/Origin.h"
#include "tte/Passes/Passes.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_AUTODIFF
#include "tte/Passes/Passes.h.inc"
} // namespace tte

//===----------------------------------------------------------------------===//
// Reverse sweep
//===----------------------------------------------------------------------===//

namespace {
/// Reverse-mode differentiation of a straight line of ops, by what the ops say of themselves
/// (GradientOpInterface).
class ReverseSweep {
public:
  /// Gradients are built with `builder`, for `parameters` and what depends on them.
  ReverseSweep(OpBuilder &builder, ValueRange parameters)
      : builder(builder), active(parameters.begin(), parameters.end()) {}

  /// Propagates `gradient`, that of `output`, from the last of `ops` to the first.
  LogicalResult run(ArrayRef<Operation *> ops, Value output, Value gradient);

  /// The gradient of `value`, or null where the output does not depend on it.
  Value getGradient(Value value) const { return gradients.lookup(value); }

private:
  void accumulate(Value value, Value gradient);

  OpBuilder &builder;
  DenseSet<Value> active;
  DenseMap<Value, Value> gradients;
};
} // namespace

LogicalResult ReverseSweep::run(ArrayRef<Operation *> ops, Value output, Value gradient) {
  auto isActive = [&](Value value) { return active.contains(value); };
  for (Operation *op : ops)
    if (llvm::any_of(op->getOperands(), isActive))
      active.insert(op->result_begin(), op->result_end());
  gradients[output] = gradient;
  for (Operation *op : llvm::reverse(ops)) {
    Value outGrad = op->getNumResults() == 1 ? getGradient(op->getResult(0)) : Value();
    SmallVector<OpOperand *> operands;
    for (OpOperand &operand : op->getOpOperands())
      if (isActive(operand.get()))
        operands.push_back(&operand);
    if (!outGrad || operands.empty())
      continue;
    auto differentiable = dyn_cast<GradientOpInterface>(op);
    if (!differentiable)
      return op->emitOpError() << "has no gradient, and parameters before it need one";
    SmallVector<Value> built = differentiable.buildGradients(builder, outGrad, operands);
    for (auto [operand, operandGrad] : llvm::zip_equal(operands, built))
      accumulate(operand->get(), operandGrad);
  }
  return success();
}

void ReverseSweep::accumulate(Value value, Value gradient) {
  Value &sum = gradients[value];
  sum = sum ? AddOp::create(builder, value.getLoc(), gradient.getType(), sum, gradient,
                            /*clamp=*/ClampAttr())
            : gradient;
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// The globals of real values that `forward` reads, in the order of the module.
static SmallVector<ml_program::GlobalOp> collectParameters(func::FuncOp forward) {
  DenseSet<StringAttr> read;
  forward.walk([&](ml_program::GlobalLoadConstOp load) {
    if (isRealTensor(load.getType()))
      read.insert(load.getGlobal().getLeafReference());
  });
  auto globals = forward->getParentOfType<ModuleOp>().getOps<ml_program::GlobalOp>();
  return llvm::to_vector(llvm::make_filter_range(globals, [&](ml_program::GlobalOp global) {
    return read.contains(global.getSymNameAttr());
  }));
}

static DictionaryAttr attributeOf(StringRef name, Attribute value) {
  return DictionaryAttr::get(value.getContext(), NamedAttribute(name, value));
}

static DictionaryAttr stateOf(ml_program::GlobalOp parameter) {
  return attributeOf("tte.state", FlatSymbolRefAttr::get(parameter.getSymNameAttr()));
}

static DictionaryAttr roleOf(MLIRContext *context, Role role) {
  return attributeOf("tte.role", RoleAttr::get(context, role));
}

/// Makes `parameters` the first arguments of `forward`, in place of their loads.
static LogicalResult takeParametersAsArguments(func::FuncOp forward,
                                               ArrayRef<ml_program::GlobalOp> parameters) {
  DenseMap<StringAttr, Value> arguments;
  for (size_t index = 0; index < parameters.size(); ++index) {
    ml_program::GlobalOp parameter = parameters[index];
    if (failed(forward.insertArgument(index, parameter.getType(), stateOf(parameter),
                                      parameter.getLoc())))
      return failure();
    arguments[parameter.getSymNameAttr()] = forward.getArgument(index);
  }
  forward.walk([&](ml_program::GlobalLoadConstOp load) {
    if (Value argument = arguments.lookup(load.getGlobal().getLeafReference())) {
      load.getResult().replaceAllUsesWith(argument);
      load.erase();
    }
  });
  return success();
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

/// The 32-bit mixing function of `tte.sgd` (lowbias32).
static uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

/// The stream of random numbers of a parameter: its name, hashed with FNV-1a, mixed with the seed.
static uint32_t streamOf(StringRef name, uint32_t seed) {
  uint32_t hash = 0x811c9dc5u;
  for (unsigned char byte : name.bytes())
    hash = (hash ^ byte) * 0x01000193u;
  return mix(hash ^ mix(seed));
}

/// Only grids of few levels lose steps without random rounding.
static Rounding roundingOf(Value parameter, Rounding wanted) {
  quant::QuantizedType grid = getQuantizedElement(parameter.getType());
  return grid && grid.getStorageTypeIntegralWidth() == 8 ? wanted : Rounding::nearest;
}

/// Biases are the parameters of one dimension.
static APFloat multiplierOf(Value parameter, float biasMultiplier) {
  bool isBias = cast<RankedTensorType>(parameter.getType()).getRank() == 1;
  return APFloat(isBias ? biasMultiplier : 1.0f);
}

/// The gradient of a parameter as its storage sees it: for a grid, of the stored integers.
static Value toStoredDomain(OpBuilder &builder, Value parameter, Value gradient) {
  quant::QuantizedType grid = getQuantizedElement(parameter.getType());
  if (!grid)
    return gradient;
  return ScaleGradientOp::create(builder, gradient.getLoc(), gradient.getType(), gradient, grid,
                                 /*power=*/1);
}

//===----------------------------------------------------------------------===//
// Training step
//===----------------------------------------------------------------------===//

namespace {
struct AutodiffPass : tte::impl::AutodiffBase<AutodiffPass> {
  using AutodiffBase::AutodiffBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

private:
  LogicalResult run();
  func::FuncOp declareTrainStep(func::FuncOp forward, ArrayRef<ml_program::GlobalOp> parameters);
  LossOpInterface buildLoss(OpBuilder &builder, Value scores, Value labels);
  LogicalResult buildTrainStep(func::FuncOp forward, ArrayRef<ml_program::GlobalOp> parameters);
};
} // namespace

LogicalResult AutodiffPass::run() {
  auto forward = getOperation().lookupSymbol<func::FuncOp>("forward");
  if (!forward)
    return getOperation().emitError("the module has no function @forward to differentiate");
  if (Operation *existing = getOperation().lookupSymbol("train_step"))
    return existing->emitError("the module has a @train_step already");
  ArrayRef<Type> results = forward.getResultTypes();
  if (results.size() != 1 || !isFloatTensor(results[0]) ||
      cast<RankedTensorType>(results[0]).getRank() != 2)
    return forward.emitError() << "@forward must return scores (batch, classes) in f32, found "
                               << forward.getFunctionType();
  SmallVector<ml_program::GlobalOp> parameters = collectParameters(forward);
  if (parameters.empty())
    return forward.emitError("@forward reads no parameters, so there is nothing to train");
  forward.setResultAttrs(0, roleOf(&getContext(), Role::scores));
  if (failed(takeParametersAsArguments(forward, parameters)))
    return failure();
  return buildTrainStep(forward, parameters);
}

/// (state..., input, labels, learning rate, step) -> (state'..., loss, scores)
func::FuncOp AutodiffPass::declareTrainStep(func::FuncOp forward,
                                            ArrayRef<ml_program::GlobalOp> parameters) {
  OpBuilder builder(&getContext());
  builder.setInsertionPointAfter(forward);
  auto scores = cast<RankedTensorType>(forward.getResultTypes().front());
  auto real = RankedTensorType::get({}, builder.getF32Type());
  SmallVector<Type> arguments(forward.getArgumentTypes());
  arguments.push_back(RankedTensorType::get({scores.getDimSize(0)}, builder.getI32Type()));
  arguments.push_back(real);
  arguments.push_back(RankedTensorType::get({}, builder.getI32Type()));
  SmallVector<Type> results(forward.getArgumentTypes().take_front(parameters.size()));
  results.append({real, scores});

  SmallVector<Attribute> argumentAttrs;
  for (unsigned index : llvm::seq(forward.getNumArguments()))
    argumentAttrs.push_back(
        DictionaryAttr::get(&getContext(), function_interface_impl::getArgAttrs(forward, index)));
  for (Role role : {Role::label, Role::learning_rate, Role::step})
    argumentAttrs.push_back(roleOf(&getContext(), role));
  SmallVector<Attribute> resultAttrs;
  for (ml_program::GlobalOp parameter : parameters)
    resultAttrs.push_back(stateOf(parameter));
  for (Role role : {Role::loss, Role::scores})
    resultAttrs.push_back(roleOf(&getContext(), role));

  auto step = func::FuncOp::create(builder, forward.getLoc(), "train_step",
                                   builder.getFunctionType(arguments, results));
  step.setArgAttrsAttr(builder.getArrayAttr(argumentAttrs));
  step.setResAttrsAttr(builder.getArrayAttr(resultAttrs));
  SmallVector<Location> locations = llvm::map_to_vector(
      forward.getArguments(), [](BlockArgument argument) { return argument.getLoc(); });
  locations.append(3, forward.getLoc());
  builder.createBlock(&step.getBody(), {}, arguments, locations);
  return step;
}

LossOpInterface AutodiffPass::buildLoss(OpBuilder &builder, Value scores, Value labels) {
  Location location = NameLoc::get(builder.getStringAttr("loss"));
  auto real = RankedTensorType::get({}, builder.getF32Type());
  if (loss == Loss::SoftmaxCrossEntropy)
    return SoftmaxCrossEntropyOp::create(builder, location, real, scores, labels);
  Value target = OneHotOp::create(builder, location, scores.getType(), labels);
  return MeanSquaredErrorOp::create(builder, location, real, scores, target);
}

LogicalResult AutodiffPass::buildTrainStep(func::FuncOp forward,
                                           ArrayRef<ml_program::GlobalOp> parameters) {
  func::FuncOp step = declareTrainStep(forward, parameters);
  auto builder = OpBuilder::atBlockEnd(&step.getBody().front());
  ValueRange arguments = step.getArguments(), state = arguments.take_front(parameters.size());
  Value labels = arguments[forward.getNumArguments()],
        learningRate = arguments[forward.getNumArguments() + 1],
        stepCount = arguments[forward.getNumArguments() + 2];

  IRMapping mapping;
  mapping.map(forward.getArguments(), arguments.take_front(forward.getNumArguments()));
  SmallVector<Operation *> network;
  for (Operation &op : forward.getBody().front().without_terminator())
    network.push_back(builder.clone(op, mapping));
  Value scores = mapping.lookup(forward.getBody().front().getTerminator()->getOperand(0));

  LossOpInterface lossOp = buildLoss(builder, scores, labels);
  Value lossValue = lossOp->getResult(0), gradient = lossOp.buildPredictionGradient(builder);
  auto checked = CheckFiniteOp::create(builder, lossOp.getLoc(),
                                       TypeRange{lossValue.getType(), gradient.getType()},
                                       ValueRange{lossValue, gradient});
  ReverseSweep sweep(builder, state);
  if (failed(sweep.run(network, scores, checked.getResult(1))))
    return failure();

  SmallVector<Value> results;
  for (size_t index = 0; index < parameters.size(); ++index) {
    ml_program::GlobalOp parameter = parameters[index];
    Value old = state[index], gradient = sweep.getGradient(old);
    if (!gradient) {
      results.push_back(old);
      continue;
    }
    auto update = SGDOp::create(builder, gradient.getLoc(), old.getType(), old,
                                toStoredDomain(builder, old, gradient), learningRate, stepCount,
                                /*residual=*/Value(), roundingOf(old, rounding),
                                streamOf(getOriginalName(parameter), seed), /*origin=*/OriginAttr(),
                                /*bits=*/IntegerAttr(), multiplierOf(old, biasMultiplier));
    takeOrigin(update, parameter);
    results.push_back(update);
  }
  results.append({checked.getResult(0), scores});
  func::ReturnOp::create(builder, forward.getLoc(), results);
  return success();
}
