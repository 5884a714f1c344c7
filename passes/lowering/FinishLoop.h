// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A loop over finished sums, where what happens to each of them is long.
#ifndef TTE_LOWERING_FINISHLOOP_H
#define TTE_LOWERING_FINISHLOOP_H

#include "KernelEmitter.h"

namespace tte {

/// Finishes tiles of sums, which are elements of `root`. Where ops follow `root`, their code is
/// emitted for a few sums, in a loop: the sums then lie on the stack.
class FinishLoop {
public:
  /// No tile has more than `capacity` sums.
  FinishLoop(KernelEmitter &kernel, mlir::Value root, int64_t capacity)
      : kernel(kernel), root(root), capacity(capacity) {}

  /// Calls `finish` for each of `sums`, [rows][columns] values of equal lanes.
  void run(llvm::ArrayRef<mlir::Value> sums, int64_t columns,
           llvm::function_ref<void(Index row, Index column, mlir::Value sum)> finish);

private:
  mlir::Value getBuffer();

  KernelEmitter &kernel;
  mlir::Value root;
  int64_t capacity;
  mlir::Value buffer; ///< null before it is needed
};

} // namespace tte

#endif // TTE_LOWERING_FINISHLOOP_H
