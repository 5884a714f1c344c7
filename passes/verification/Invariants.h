// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is true of a program between the stages. Each check emits an error that names the op.
#ifndef TTE_PASSES_VERIFICATION_INVARIANTS_H
#define TTE_PASSES_VERIFICATION_INVARIANTS_H

#include "tte/Passes/Passes.h"

namespace tte {

/// Only tte ops, functions, returns and globals touch quantized types: others would keep stale
/// scales.
llvm::LogicalResult verifyQuantizedTypes(mlir::ModuleOp program);

/// Functions hold tte ops, loads of globals and a return, on statically shaped tensors.
llvm::LogicalResult verifyComputation(mlir::ModuleOp program);

/// No value is quantized.
llvm::LogicalResult verifyReal(mlir::ModuleOp program);

/// Convolutions and dense layers read quantized values; no calibrated range is left.
llvm::LogicalResult verifyLayersAreQuantized(mlir::ModuleOp program);

/// Arguments, results and updates of `@train_step` fit each other.
llvm::LogicalResult verifyTrainStep(mlir::ModuleOp program);

/// The states are the globals of which a part trains.
llvm::LogicalResult verifyStatesTrain(mlir::ModuleOp program);

/// All computations lie in dispatches, and new values of states are tied to the old ones.
llvm::LogicalResult verifyDispatched(mlir::ModuleOp program);

/// Functions are calls of existing kernels on buffers of the shapes that they take.
llvm::LogicalResult verifyPlanned(mlir::ModuleOp program);

} // namespace tte

#endif // TTE_PASSES_VERIFICATION_INVARIANTS_H
