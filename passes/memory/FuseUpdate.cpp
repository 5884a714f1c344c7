// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Dispatches.h"
#include "MemoryModel.h"
#include "tte/Passes/Overlap.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_FUSEUPDATE
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// Whether the update of `parameter`, were it one with `weightGradient`, would keep the gradient of
/// the output from being overwritten: the input gradient of the layer reads the old weight, hence
/// comes first, and could lie over what both read. A smaller weight gradient is kept instead.
static bool blocksInPlace(Operation *weightGradient, Value parameter) {
  auto convolution = dyn_cast_or_null<Conv2DWeightGradOp>(weightGradient);
  if (!convolution)
    return false;
  Value gradient = convolution.getGradient();
  if (getStorageBytes(convolution.getType()) >= getStorageBytes(gradient.getType()))
    return false;
  return llvm::any_of(gradient.getUsers(), [&](Operation *user) {
    return isa<Conv2DInputGradOp>(user) && llvm::is_contained(user->getOperands(), parameter) &&
           getOverlap(user, /*operand=*/0);
  });
}

/// Whether nothing outside of `chain` reads `value`, unless as the new value of a state.
static bool isReadOnlyBy(Value value, const SetVector<Operation *> &chain) {
  bool isState = bool(value.getDefiningOp<StateUpdateOpInterface>());
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    return chain.contains(user) || (isState && isa<func::ReturnOp>(user));
  });
}

/// The op that makes `value` for the ops of `chain` alone, if it is one of `OpTs`.
template <typename... OpTs>
static Operation *getProducer(Value value, const SetVector<Operation *> &chain) {
  Operation *producer = value.getDefiningOp();
  return isa_and_nonnull<OpTs...>(producer) && isReadOnlyBy(value, chain) ? producer : nullptr;
}

/// The op that keeps what `update` leaves of its parameter, or null. Each reads what the other
/// overwrites.
static Operation *getResidualUpdate(SGDOp update) {
  if (update.getResidual())
    for (Operation *user : update.getResidual().getUsers())
      if (isa<SGDResidualOp>(user))
        return user;
  return nullptr;
}

/// Adds what makes `gradient` from activations, the gradient of a parameter.
static void addGradient(Value gradient, SetVector<Operation *> &chain) {
  if (Operation *op =
          getProducer<Conv2DWeightGradOp, DenseWeightGradOp, BiasGradOp>(gradient, chain))
    chain.insert(op);
}

/// The ops that turn activations into the gradient that `update` consumes and whose results
/// nobody else needs, `update` included, the last one first. An update that does not happen in
/// every step starts at the accumulated gradient.
static SetVector<Operation *> getUpdateChain(SGDOp update) {
  SetVector<Operation *> chain;
  chain.insert(update);
  if (Operation *residual = getResidualUpdate(update))
    chain.insert(residual);
  Value gradient = update.getGradient();
  while (Operation *op = getProducer<ScaleGradientOp, MomentumOp>(gradient, chain)) {
    chain.insert(op);
    gradient = isa<MomentumOp>(op) ? cast<MomentumOp>(op).getGradient()
                                   : cast<ScaleGradientOp>(op).getGradient();
  }
  if (update.getUpdatePeriod() == 1 &&
      !blocksInPlace(gradient.getDefiningOp(), update.getParameter()))
    addGradient(gradient, chain);
  return chain;
}

static SetVector<Operation *> getAccumulation(AccumulateOp accumulate) {
  SetVector<Operation *> chain;
  chain.insert(accumulate);
  addGradient(accumulate.getGradient(), chain);
  return chain;
}

static void formUpdate(const SetVector<Operation *> &chain) {
  SmallVector<Operation *> ops(chain.begin(), chain.end());
  llvm::sort(ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  formDispatch(ops, Phase::update);
}

namespace {
struct FuseUpdatePass : tte::impl::FuseUpdateBase<FuseUpdatePass> {
  void runOnOperation() override {
    for (SGDOp update : llvm::to_vector(getOperation().getOps<SGDOp>()))
      formUpdate(getUpdateChain(update));
    for (AccumulateOp accumulate : llvm::to_vector(getOperation().getOps<AccumulateOp>()))
      formUpdate(getAccumulation(accumulate));
  }
};
} // namespace
