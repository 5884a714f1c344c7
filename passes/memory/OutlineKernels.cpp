// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "OutlineKernels.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace tte;

static ModuleOp createKernelModule(ModuleOp program) {
  OpBuilder builder = OpBuilder::atBlockBegin(program.getBody());
  return ModuleOp::create(builder, program.getLoc(), "kernels");
}

KernelModule::KernelModule(ModuleOp program)
    : module(createKernelModule(program)), symbols(module) {}

/// What the kernel computes: the names of its ops, in order.
static std::string nameOf(DispatchOp dispatch) {
  SmallVector<StringRef> names;
  for (Operation &op : dispatch.getBody().front().without_terminator())
    names.push_back(op.getName().stripDialect());
  return llvm::join(names, "_");
}

SymbolRefAttr KernelModule::outline(DispatchOp dispatch) {
  auto isEqual = [&](KernelOp kernel) {
    return kernel.getStrategy() == dispatch.getStrategy() &&
           OperationEquivalence::isRegionEquivalentTo(&kernel.getBody(), &dispatch.getBody(),
                                                      OperationEquivalence::IgnoreLocations);
  };
  auto *found = llvm::find_if(kernels, isEqual);
  if (found == kernels.end()) {
    OpBuilder builder(module.getContext());
    auto kernel =
        KernelOp::create(builder, dispatch.getLoc(), nameOf(dispatch), dispatch.getStrategy());
    IRMapping mapping;
    dispatch.getBody().cloneInto(&kernel.getBody(), mapping);
    symbols.insert(kernel, module.getBody()->end());
    kernels.push_back(kernel);
    found = std::prev(kernels.end());
  }
  return SymbolRefAttr::get(symbols.getOp()->getContext(), module.getSymNameAttr(),
                            {FlatSymbolRefAttr::get(found->getSymNameAttr())});
}
