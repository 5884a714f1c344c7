// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_PASSES_H
#define TTE_PASSES_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/Pass/Pass.h"
#include "tte/IR/TTEOps.h"
#include "tte/Passes/Stages.h"

namespace tte {
/// The losses that a training step can have.
enum class Loss { SoftmaxCrossEntropy, MeanSquaredError };

#define GEN_PASS_DECL
#include "tte/Passes/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "tte/Passes/Passes.h.inc"
} // namespace tte

#endif // TTE_PASSES_PASSES_H
