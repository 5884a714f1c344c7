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
    if (stage >= Stage::Autodiff && failed(verifyTrainStep(program)))
      return failure();
    if (stage >= Stage::Pruned && failed(verifyStatesTrain(program)))
      return failure();
    return stage >= Stage::Dispatched ? verifyDispatched(program) : success();
  }
};
} // namespace
