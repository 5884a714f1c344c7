// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// State that an optimizer keeps beside a parameter: one value for each element that trains.
#ifndef TTE_TRAINING_OPTIMIZERSTATE_H
#define TTE_TRAINING_OPTIMIZERSTATE_H

#include "tte/Passes/Passes.h"

namespace tte {

/// The updates of `step`, in program order.
llvm::SmallVector<SGDOp> getUpdates(mlir::func::FuncOp step);

/// The operand of `update`, or of the scaling before it, that is the gradient of the real-valued
/// parameter.
mlir::OpOperand &getRealGradient(SGDOp update);

/// Adds the state @parameter.suffix of type `type`, at first all zeros, for the parameter of
/// `update`: a global, an argument of @train_step behind the other states, and a result that
/// returns it unchanged. Returns the argument; give the result its new value with `returnState`.
mlir::FailureOr<mlir::BlockArgument> addState(SGDOp update, llvm::StringRef suffix,
                                              mlir::RankedTensorType type);

/// Makes `value` the new value of the state that `argument` holds.
void returnState(mlir::BlockArgument argument, mlir::Value value);

} // namespace tte

#endif // TTE_TRAINING_OPTIMIZERSTATE_H
