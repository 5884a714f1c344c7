// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_TRAINING_TD
#define TTE_PASSES_TRAINING_TD

include "mlir/Pass/PassBase.td"

def QAS : Pass<"tte-qas", "::mlir::func::FuncOp"> {
  let summary = "Quantization-aware scaling of the gradients of quantized parameters";
  let description = [{
    A parameter quantized with scale s has the gradient s * G in its integer
    grid, much smaller in proportion than the parameter itself. Quantization-aware
    scaling (MCUNetV3, section 2.2) multiplies it by s^-2, so that the step in
    the grid is lr * G / s, the step of real-valued SGD.

    The pass puts `tte.scale_gradient ... to the -2` before each update of a
    quantized parameter; folding merges it with the power 1 that is there.
  }];
}

#endif // TTE_PASSES_TRAINING_TD
