// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of lowered kernels in a module, equal ones once.
#ifndef TTE_LOWERING_KERNELLIBRARY_H
#define TTE_LOWERING_KERNELLIBRARY_H

#include "KernelEmitter.h"
#include "llvm/ADT/StringMap.h"

namespace tte {

/// A lowered kernel: its function, which takes inputs, tables, scratch and outputs, and the
/// constants that its calls pass.
struct LoweredKernel {
  mlir::FlatSymbolRefAttr function;
  mlir::FunctionType type;
  TableContents tables;
  int64_t scratchBytes = 0;
};

class KernelLibrary {
public:
  KernelLibrary(mlir::ModuleOp module, const KernelTarget &target)
      : module(module), target(target), scaleTables(module) {}

  /// Adds the function of `kernel`. A private one is called by others of the library.
  mlir::FailureOr<LoweredKernel> lower(KernelOp kernel, bool isPrivate = false);
  const KernelTarget &getTarget() const { return target; }

private:
  mlir::FlatSymbolRefAttr insert(mlir::func::FuncOp function, bool isPrivate);

  mlir::ModuleOp module;
  KernelTarget target;
  ScaleTables scaleTables;
  llvm::StringMap<mlir::StringAttr> names; ///< by the text of the function
  unsigned privateCount = 0;
};

} // namespace tte

#endif // TTE_LOWERING_KERNELLIBRARY_H
