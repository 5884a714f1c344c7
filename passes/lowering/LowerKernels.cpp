// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelLibrary.h"
#include "PackedWeights.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "tte/Passes/Passes.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_LOWERKERNELS
#include "tte/Passes/Passes.h.inc"
} // namespace tte

namespace {

/// What the calls of a kernel become.
struct Replacement {
  FlatSymbolRefAttr function;
  SmallVector<DenseElementsAttr> tables;
};

/// Constants in flash, one global for each content.
class TablePool {
public:
  explicit TablePool(ModuleOp module) : module(module), symbols(module) {}

  StringAttr insert(DenseElementsAttr content, Location loc) {
    StringAttr &name = names[content];
    if (name)
      return name;
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    auto global = ml_program::GlobalOp::create(builder, loc, "kernel_table", content.getType(),
                                               /*is_mutable=*/false, content,
                                               builder.getStringAttr("private"));
    return name = symbols.insert(global);
  }

private:
  ModuleOp module;
  SymbolTable symbols;
  DenseMap<Attribute, StringAttr> names;
};

struct LowerKernelsPass : tte::impl::LowerKernelsBase<LowerKernelsPass> {
  using LowerKernelsBase::LowerKernelsBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                    memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (dsp)
      packWeights(module);
    DenseMap<SymbolRefAttr, Replacement> lowered;
    for (ModuleOp library : module.getOps<ModuleOp>())
      if (failed(lowerLibrary(library, lowered)))
        return signalPassFailure();
    TablePool tables(module);
    module.walk([&](CallOp call) {
      auto kernel = lowered.find(call.getKernel());
      if (kernel != lowered.end())
        retarget(call, kernel->second, tables);
    });
  }

private:
  LogicalResult lowerLibrary(ModuleOp module, DenseMap<SymbolRefAttr, Replacement> &lowered) {
    KernelLibrary library(module, {vectorWidth, dsp});
    Builder builder(&getContext());
    for (KernelOp kernel : llvm::make_early_inc_range(module.getOps<KernelOp>())) {
      FailureOr<LoweredKernel> result = library.lower(kernel);
      if (failed(result))
        return failure();
      Replacement &replacement = lowered[SymbolRefAttr::get(
          module.getSymNameAttr(), FlatSymbolRefAttr::get(kernel.getSymNameAttr()))];
      replacement.function = result->function;
      addTable(ArrayRef(result->tables.integers), builder.getI32Type(), replacement);
      addTable(ArrayRef(result->tables.reals), builder.getF32Type(), replacement);
      addTable(ArrayRef(result->tables.bytes), builder.getI8Type(), replacement);
      kernel.erase();
    }
    return success();
  }

  template <typename T>
  static void addTable(ArrayRef<T> values, Type element, Replacement &kernel) {
    if (!values.empty())
      kernel.tables.push_back(
          DenseElementsAttr::get(RankedTensorType::get({int64_t(values.size())}, element), values));
  }

  static void retarget(CallOp call, const Replacement &kernel, TablePool &tables) {
    OpBuilder builder(call);
    SmallVector<Value> buffers;
    for (DenseElementsAttr table : kernel.tables) {
      auto type = cast<RankedTensorType>(table.getType());
      buffers.push_back(FlashOp::create(builder, call.getLoc(),
                                        MemRefType::get(type.getShape(), type.getElementType()),
                                        tables.insert(table, call.getLoc())));
    }
    call.getTablesMutable().assign(buffers);
    call.setKernelAttr(SymbolRefAttr::get(call.getKernel().getRootReference(), kernel.function));
  }
};

} // namespace
