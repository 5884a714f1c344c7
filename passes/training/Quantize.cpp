// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Grids.h"
#include "tte/Passes/Passes.h"

#include <cmath>

using namespace mlir;
using namespace tte;
using mlir::quant::UniformQuantizedPerAxisType;
using mlir::quant::UniformQuantizedType;

namespace tte {
#define GEN_PASS_DEF_QUANTIZE
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// A result needs no finer grid than this share of the coarsest input scale: beyond it lie
/// the factors of requantization that 32-bit multipliers cannot express.
constexpr double kFinestShare = 1.0 / 256;

static void setElementType(Value value, Type element) {
  value.setType(cast<RankedTensorType>(value.getType()).clone(element));
}

static UniformQuantizedType gridOf(Value value) {
  return dyn_cast_or_null<UniformQuantizedType>(getQuantizedElement(value.getType()));
}

/// Whether nothing but reshapes lies between `value` and the results of the network: such a
/// value stays f32, so that scores do not saturate.
static bool isScores(Value value) {
  return llvm::all_of(value.getUsers(), [](Operation *user) {
    if (auto reshape = dyn_cast<ReshapeOp>(user))
      return isScores(reshape.getResult());
    return isa<func::ReturnOp>(user);
  });
}

namespace {
/// Turns the types of a function from f32 to grids, op by op in the order of execution.
class NetworkQuantizer {
public:
  NetworkQuantizer(func::FuncOp function, SymbolTable &symbols)
      : function(function), symbols(symbols) {}

  LogicalResult run() {
    if (failed(quantizeArguments()))
      return failure();
    for (Operation &op : function.getBody().front().without_terminator())
      if (failed(quantize(op)))
        return failure();
    dequantizeResults();
    function.setType(FunctionType::get(function.getContext(), function.getBody().getArgumentTypes(),
                                       function.getResultTypes()));
    return success();
  }

private:
  LogicalResult quantizeArguments();
  LogicalResult quantize(Operation &op);
  LogicalResult quantizeAffine(AffineOpInterface op);
  LogicalResult rescale(ClampingOpInterface op, double coarsestInput);
  LogicalResult keepScale(Operation *op);
  void dequantizeResults();

  LogicalResult requireGrids(Operation *op, ValueRange activations);
  FailureOr<DenseElementsAttr> realValues(Operation *layer, Value parameter, StringRef what);
  LogicalResult quantizeParameter(Operation *layer, Value parameter,
                                  UniformQuantizedPerAxisType grid);

  func::FuncOp function;
  SymbolTable &symbols;
  /// The values of the parameters before they were quantized.
  DenseMap<Operation *, DenseElementsAttr> realParameters;
};
} // namespace

/// Takes the calibrated range off `attributes`; `missing` reports that there is none.
static FailureOr<RangeAttr> checkRange(RangeAttr range,
                                       function_ref<InFlightDiagnostic()> emitError) {
  if (!range)
    return emitError() << "has no calibrated range (tte.range); run the calibration first",
           failure();
  if (!std::isfinite(static_cast<float>(range.getMax() - range.getMin())))
    return emitError() << "has the calibrated range " << range << ", which is not finite",
           failure();
  return range;
}

LogicalResult NetworkQuantizer::quantizeArguments() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto name = [&] {
      return function.emitError() << "argument " << index << " of @" << function.getName() << " ";
    };
    if (!isFloatTensor(argument.getType()))
      return name() << "must be a tensor of f32 to be quantized, found " << argument.getType();
    FailureOr<RangeAttr> range =
        checkRange(function.getArgAttrOfType<RangeAttr>(index, "tte.range"), name);
    if (failed(range))
      return failure();
    function.removeArgAttr(index, "tte.range");
    setElementType(argument, activationGrid(*range, /*leastScale=*/0.0));
  }
  return success();
}

LogicalResult NetworkQuantizer::quantize(Operation &op) {
  if (isa<ml_program::GlobalLoadConstOp>(op))
    return success(); // by the layer that reads it
  if (auto affine = dyn_cast<AffineOpInterface>(op))
    return quantizeAffine(affine);
  if (op.hasTrait<KeepsScale>())
    return keepScale(&op);
  auto rescaled = dyn_cast<ClampingOpInterface>(op);
  if (!rescaled)
    return op.emitOpError() << "cannot be quantized";
  if (failed(requireGrids(&op, op.getOperands())))
    return failure();
  double coarsest = 0.0;
  for (Value operand : op.getOperands())
    coarsest = std::max(coarsest, gridOf(operand).getScale());
  return rescale(rescaled, coarsest);
}

LogicalResult NetworkQuantizer::requireGrids(Operation *op, ValueRange activations) {
  for (Value activation : activations)
    if (!gridOf(activation))
      return op->emitOpError() << "reads a parameter as an activation; only weights and biases "
                                  "of layers can be quantized";
  return success();
}

/// The result of `op` gets its own grid, and the clamp moves onto it.
LogicalResult NetworkQuantizer::rescale(ClampingOpInterface op, double coarsestInput) {
  FailureOr<RangeAttr> range =
      checkRange(op->getAttrOfType<RangeAttr>("tte.range"), [&] { return op->emitOpError(); });
  if (failed(range))
    return failure();
  op->removeAttr("tte.range");
  UniformQuantizedType grid = activationGrid(*range, coarsestInput * kFinestShare);
  setElementType(op->getResult(0), grid);
  if (ClampAttr clamp = op.getClampAttr())
    op.setClampAttr(toGrid(clamp, grid));
  return success();
}

LogicalResult NetworkQuantizer::keepScale(Operation *op) {
  op->removeAttr("tte.range");
  Value input = op->getOperand(0);
  UniformQuantizedType grid = gridOf(input);
  if (!grid && !input.getDefiningOp<ml_program::GlobalLoadConstOp>())
    return success(); // on the way to the scores
  if (failed(requireGrids(op, input)))
    return failure();
  setElementType(op->getResult(0), grid);
  if (auto clamping = dyn_cast<ClampingOpInterface>(op))
    clamping.setClampAttr(toGrid(clamping.getClampAttr(), grid));
  return success();
}

/// The f32 values of a parameter of `layer`.
FailureOr<DenseElementsAttr> NetworkQuantizer::realValues(Operation *layer, Value parameter,
                                                          StringRef what) {
  auto load = parameter.getDefiningOp<ml_program::GlobalLoadConstOp>();
  if (!load)
    return layer->emitOpError() << what << " must be a parameter (ml_program.global)", failure();
  auto global = symbols.lookup<ml_program::GlobalOp>(load.getGlobal().getLeafReference());
  DenseElementsAttr &values = realParameters[global];
  if (!values)
    values = dyn_cast_or_null<DenseElementsAttr>(global.getValueAttr());
  if (!values || !values.getElementType().isF32())
    return layer->emitOpError() << what << " '" << global.getSymName()
                                << "' must have a dense initial value of f32",
           failure();
  if (llvm::any_of(values.getValues<float>(), [](float value) { return !std::isfinite(value); }))
    return layer->emitOpError() << what << " '" << global.getSymName()
                                << "' holds a value that is not finite",
           failure();
  return values;
}

LogicalResult NetworkQuantizer::quantizeParameter(Operation *layer, Value parameter,
                                                  UniformQuantizedPerAxisType grid) {
  auto load = parameter.getDefiningOp<ml_program::GlobalLoadConstOp>();
  auto global = symbols.lookup<ml_program::GlobalOp>(load.getGlobal().getLeafReference());
  RankedTensorType type = cast<RankedTensorType>(global.getType()).clone(grid);
  if (isQuantizedTensor(global.getType()) && global.getType() != type)
    return layer->emitOpError() << "shares the parameter '" << global.getSymName()
                                << "' with a layer that quantizes it by other scales";
  global.setType(type);
  global.setValueAttr(toGrid(realParameters.lookup(global), grid));
  parameter.setType(type);
  return success();
}

LogicalResult NetworkQuantizer::quantizeAffine(AffineOpInterface op) {
  if (failed(requireGrids(op, op.getInput())))
    return failure();
  if (op.getWeightsMutable().size() != 1)
    return op->emitOpError() << "needs its weight in one part to be quantized, found "
                             << op.getWeightsMutable().size();
  Value weight = op.getWeightsMutable()[0].get();
  FailureOr<DenseElementsAttr> weightValues = realValues(op, weight, "weight");
  if (failed(weightValues))
    return failure();
  DenseElementsAttr biasValues;
  if (!op.getBiasMutable().empty()) {
    FailureOr<DenseElementsAttr> values = realValues(op, op.getBiasMutable()[0].get(), "bias");
    if (failed(values))
      return failure();
    biasValues = *values;
  }

  int64_t products = weightValues->getNumElements() / weightValues->getType().getShape().back();
  if (products > kMaxProducts)
    return op->emitOpError() << "sums " << products << " products an output, but more than "
                             << kMaxProducts << " may overflow the 32-bit accumulator";
  double inputScale = gridOf(op.getInput()).getScale();
  UniformQuantizedPerAxisType grid = weightGrid(*weightValues, biasValues, inputScale);
  if (failed(quantizeParameter(op, weight, grid)))
    return failure();
  if (biasValues && failed(quantizeParameter(op, op.getBiasMutable()[0].get(),
                                             biasGrid(grid, products, inputScale))))
    return failure();
  if (isScores(op->getResult(0))) {
    op->removeAttr("tte.range");
    return success();
  }
  auto clamping = cast<ClampingOpInterface>(op.getOperation());
  return rescale(clamping, inputScale * *llvm::max_element(grid.getScales()));
}

void NetworkQuantizer::dequantizeResults() {
  Operation *terminator = function.getBody().front().getTerminator();
  OpBuilder builder(terminator);
  for (OpOperand &result : terminator->getOpOperands())
    if (gridOf(result.get())) {
      Type type = function.getResultTypes()[result.getOperandNumber()];
      result.set(DequantizeOp::create(builder, result.get().getLoc(), type, result.get()));
    }
}

namespace {
struct QuantizePass : tte::impl::QuantizeBase<QuantizePass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    auto forward = symbols.lookup<func::FuncOp>("forward");
    if (!forward) {
      getOperation().emitError("the module has no function @forward to quantize");
      return signalPassFailure();
    }
    if (failed(NetworkQuantizer(forward, symbols).run()))
      signalPassFailure();
  }
};
} // namespace
