// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Invariants.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_VERIFYSTAGE
#include "tte/Passes/Passes.h.inc"
} // namespace tte

namespace {
struct VerifyStagePass : tte::impl::VerifyStageBase<VerifyStagePass> {
  using VerifyStageBase::VerifyStageBase;

  void runOnOperation() override {
    if (failed(verify(getOperation())))
      signalPassFailure();
  }

  LogicalResult verify(ModuleOp program) {
    if (failed(verifyQuantizedTypes(program)))
      return failure();
    if (stage == Stage::Planned)
      return verifyPlanned(program);
    if (failed(verifyComputation(program)))
      return failure();
    if (stage == Stage::Imported)
      return verifyReal(program);
    if ((stage == Stage::Quantized || isQuantized) && failed(verifyLayersAreQuantized(program)))
      return failure();
    if (needs(Stage::Autodiff, program.lookupSymbol("train_step")) &&
        failed(verifyTrainStep(program)))
      return failure();
    if (needs(Stage::Pruned, hasScheme(program)) && failed(verifyStatesTrain(program)))
      return failure();
    return stage == Stage::Dispatched ? verifyDispatched(program) : success();
  }

  /// Programs for inference alone skip the stages of training: their invariants hold in
  /// dispatches only where `wasRun` shows that the stage was.
  bool needs(Stage training, bool wasRun) const {
    return stage == Stage::Dispatched ? wasRun : stage >= training;
  }

  static bool hasScheme(ModuleOp program) {
    return llvm::any_of(program.getOps<ml_program::GlobalOp>(),
                        [](ml_program::GlobalOp global) { return global->hasAttr("tte.update"); });
  }
};
} // namespace
