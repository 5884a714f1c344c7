// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels in a module of their own.
#ifndef TTE_PASSES_MEMORY_OUTLINEKERNELS_H
#define TTE_PASSES_MEMORY_OUTLINEKERNELS_H

#include "tte/Passes/Passes.h"

namespace tte {

/// The module `@kernels` nested in a program, in which equal kernels exist once.
class KernelModule {
public:
  explicit KernelModule(mlir::ModuleOp program);

  /// Copies the region of `dispatch` into a kernel unless there is an equal one. Returns its name
  /// from outside: `@kernels::@conv2d`.
  mlir::SymbolRefAttr outline(DispatchOp dispatch);

private:
  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  llvm::SmallVector<KernelOp> kernels;
};

} // namespace tte

#endif // TTE_PASSES_MEMORY_OUTLINEKERNELS_H
