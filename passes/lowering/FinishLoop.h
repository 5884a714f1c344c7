// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A loop over finished sums, where what happens to each of them is long.
#ifndef TTE_LOWERING_FINISHLOOP_H
#define TTE_LOWERING_FINISHLOOP_H

#include "KernelEmitter.h"

namespace tte {

/// Finishes tiles of sums, which are elements of `root`. Where ops follow `root`, their code is
/// emitted for a few sums, in a loop: the sums then lie on the stack. Short sums are finished in
/// registers, one after the other, for there the loop would show in the time.
class FinishLoop {
public:
  /// No tile has more than `capacity` sums, of `terms` products each.
  FinishLoop(KernelEmitter &kernel, mlir::Value root, int64_t capacity, int64_t terms)
      : kernel(kernel), root(root), capacity(capacity), terms(terms) {}

  /// Calls `finish` for each of `sums`, [rows][columns] values of equal lanes.
  void run(llvm::ArrayRef<mlir::Value> sums, int64_t columns,
           llvm::function_ref<void(Index row, Index column, mlir::Value sum)> finish);

private:
  mlir::Value getBuffer();

  KernelEmitter &kernel;
  mlir::Value root;
  int64_t capacity, terms;
  mlir::Value buffer; ///< null before it is needed
};

} // namespace tte

#endif // TTE_LOWERING_FINISHLOOP_H
