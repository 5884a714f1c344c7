// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the fusion passes form dispatches.
#ifndef TTE_PASSES_MEMORY_DISPATCHES_H
#define TTE_PASSES_MEMORY_DISPATCHES_H

#include "tte/Passes/Passes.h"

namespace tte {

/// Whether `op` computes and so belongs into a dispatch. Views of the same bytes (reshape),
/// checks of the runtime and loads of globals do not.
bool isComputation(mlir::Operation *op);

/// The op that defines `value` for its one use, or null.
mlir::Operation *getSingleUseProducer(mlir::Value value);

/// The ops that the results of `function` other than updated states need.
llvm::DenseSet<mlir::Operation *> getForwardOps(mlir::func::FuncOp function);

/// Moves `ops`, given in program order and in one block, into a dispatch in the place of the last
/// of them. Results that are used outside become results of the dispatch; an updated
/// state is tied to the operand that holds its old value.
DispatchOp formDispatch(llvm::ArrayRef<mlir::Operation *> ops, Phase phase,
                        Strategy strategy = Strategy::plain);

} // namespace tte

#endif // TTE_PASSES_MEMORY_DISPATCHES_H
