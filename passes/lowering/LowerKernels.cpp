// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelFamily.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "tte/Passes/Passes.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_LOWERKERNELS
#include "tte/Passes/Passes.h.inc"
} // namespace tte

namespace {

/// A lowered kernel: its function, and the constants that its calls pass.
struct LoweredKernel {
  StringAttr function;
  SmallVector<DenseElementsAttr> tables;
};

/// Keeps one of several functions that differ in nothing but their name.
class FunctionPool {
public:
  /// The name under which the body of `function` is kept; erases `function` where it is not new.
  StringAttr insert(func::FuncOp function) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << function.getFunctionType();
    OpPrintingFlags flags = OpPrintingFlags().useLocalScope().assumeVerified();
    for (Operation &op : function.getBody().front())
      op.print(stream, flags);
    StringAttr name = function.getSymNameAttr();
    auto [entry, isNew] = names.try_emplace(text, name);
    if (!isNew)
      function.erase();
    return entry->second;
  }

private:
  llvm::StringMap<StringAttr> names;
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
    DenseMap<SymbolRefAttr, LoweredKernel> lowered;
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
  LogicalResult lowerLibrary(ModuleOp library, DenseMap<SymbolRefAttr, LoweredKernel> &lowered) {
    FunctionPool functions;
    for (KernelOp kernel : llvm::make_early_inc_range(library.getOps<KernelOp>())) {
      FailureOr<Operation *> root = findRoot(kernel, kernel.getBody());
      if (failed(root))
        return failure();
      OpBuilder builder(kernel);
      KernelEmitter emitter(builder, kernel, {vectorWidth, dsp});
      if (*root)
        findFamily(*root)->emit(*root, emitter);
      else
        emitElementwiseKernel(emitter);
      func::FuncOp function = emitter.build(*library.getBody());
      LoweredKernel &result = lowered[SymbolRefAttr::get(
          library.getSymNameAttr(), FlatSymbolRefAttr::get(kernel.getSymNameAttr()))];
      addTable(emitter.getIntegerTable(), builder.getI32Type(), result);
      addTable(emitter.getRealTable(), builder.getF32Type(), result);
      kernel.erase();
      result.function = functions.insert(function);
    }
    return success();
  }

  template <typename T>
  static void addTable(ArrayRef<T> values, Type element, LoweredKernel &kernel) {
    if (!values.empty())
      kernel.tables.push_back(
          DenseElementsAttr::get(RankedTensorType::get({int64_t(values.size())}, element), values));
  }

  static void retarget(CallOp call, const LoweredKernel &kernel, TablePool &tables) {
    OpBuilder builder(call);
    SmallVector<Value> buffers;
    for (DenseElementsAttr table : kernel.tables) {
      auto type = cast<RankedTensorType>(table.getType());
      buffers.push_back(FlashOp::create(builder, call.getLoc(),
                                        MemRefType::get(type.getShape(), type.getElementType()),
                                        tables.insert(table, call.getLoc())));
    }
    call.getTablesMutable().assign(buffers);
    call.setKernelAttr(SymbolRefAttr::get(call.getKernel().getRootReference(),
                                          FlatSymbolRefAttr::get(kernel.function)));
  }
};

} // namespace
