// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_VERIFICATION_TD
#define TTE_PASSES_VERIFICATION_TD

include "mlir/Pass/PassBase.td"

def VerifyStage : Pass<"tte-verify-stage", "::mlir::ModuleOp"> {
  let summary = "Check what must be true of a program after a stage of the compiler";
  let description = [{
    | stage | invariants |
    |---|---|
    | `imported` | functions hold loads of globals and tte ops on f32; shapes are static |
    | `quantized` | convolutions and dense layers read quantized values; no `tte.range` is left |
    | `autodiff` | `@train_step` takes each state once and returns its new value, made by one update that depends on a `tte.check_finite`; it takes a label, a learning rate and the step and returns loss and scores |
    | `pruned` | states are the globals with `tte.update`, and no others |
    | `dispatched` | all computations lie in dispatches; new values of states are tied to the old |
    | `planned` | functions are calls on buffers; no tensors but in `@kernels`; kernels exist and take buffers of the shapes given |

    What a stage establishes holds until `planned` removes it; programs for
    inference alone skip `autodiff` and `pruned`. Always: only tte ops, functions
    and globals touch quantized types.
  }];
  let options = [
    Option<"stage", "stage", "::tte::Stage", "::tte::Stage::Imported", "The stage that is done",
           [{::llvm::cl::values(
               clEnumValN(::tte::Stage::Imported, "imported", ""),
               clEnumValN(::tte::Stage::Quantized, "quantized", ""),
               clEnumValN(::tte::Stage::Autodiff, "autodiff", ""),
               clEnumValN(::tte::Stage::Pruned, "pruned", ""),
               clEnumValN(::tte::Stage::Dispatched, "dispatched", ""),
               clEnumValN(::tte::Stage::Planned, "planned", ""))}]>,
    Option<"isQuantized", "quantized", "bool", "false",
           "The program was quantized: `quantized` holds in later stages too">
  ];
}

#endif // TTE_PASSES_VERIFICATION_TD
