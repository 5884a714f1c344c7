// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The function that a kernel becomes: its buffers, its tables of constants, and the elementwise
// ops that are applied to each element before it is stored.
#ifndef TTE_LOWERING_KERNELEMITTER_H
#define TTE_LOWERING_KERNELEMITTER_H

#include "DerivedScales.h"
#include "KernelBuilder.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tte/IR/TTEOps.h"
#include "llvm/ADT/DenseMap.h"

namespace tte {

/// Consecutive elements of a tensor.
struct Position {
  Index linear;  ///< row-major
  Index channel; ///< in the last dimension
  /// In every dimension; only where the kernel walks a parameter.
  llvm::SmallVector<Index> indices;
  int64_t lanes = 1; ///< number of elements, along the last dimension
};

/// Constants of a kernel in one of its table operands.
struct Table {
  mlir::Value buffer;
  int64_t offset = 0;
};

/// The constants of a kernel: a table an element type, passed in this order where not empty.
struct TableContents {
  llvm::SmallVector<int32_t, 0> integers;
  llvm::SmallVector<float, 0> reals;
  llvm::SmallVector<int8_t, 0> bytes;
};

/// Lowers the region of one `tte.kernel` to a function. Arguments are flat memrefs of storage
/// elements, in the order of `tte.call`: inputs, tables, scratch, outputs.
class KernelEmitter : public KernelBuilder {
public:
  KernelEmitter(mlir::OpBuilder &builder, KernelOp kernel, const KernelTarget &target,
                const ScaleTables &scaleTables);

  /// The buffer of a block argument of the kernel.
  mlir::Value bufferOf(mlir::Value input);
  /// The kernel's scratch, `bytes` of i8 that start at a multiple of 16. Only kernels whose
  /// `getScratchBytes` are as many may ask for it.
  mlir::Value getScratch(int64_t bytes);
  /// The buffer of result `index` of the kernel.
  mlir::Value getOutput(unsigned index) { return outputs[index]; }
  mlir::OperandRange getYielded() { return yield.getValues(); }

  /// Adds constants to the table of their element type.
  Table addTable(llvm::ArrayRef<int32_t> values) {
    return addTable(integerTable, contents.integers, values);
  }
  Table addTable(llvm::ArrayRef<float> values) {
    return addTable(realTable, contents.reals, values);
  }
  Table addTable(llvm::ArrayRef<int8_t> values) {
    return addTable(byteTable, contents.bytes, values);
  }
  /// One constant from a table, read once on entry.
  mlir::Value addTableScalar(int32_t value);
  mlir::Value addTableScalar(float value);
  mlir::Value loadTable(Table table, Index index, int64_t lanes = 1) {
    return load(table.buffer, index + table.offset, lanes);
  }
  /// The value of a scalar input, read once on entry.
  mlir::Value loadScalar(mlir::Value input);
  /// Emits code that runs once, before all loops.
  mlir::Value onEntry(llvm::function_ref<mlir::Value()> emit);

  /// Stores the results of the kernel at `position`, where the tensor `root` has the elements
  /// `value`: applies the elementwise ops between `root` and each result.
  void finish(mlir::Value root, mlir::Value value, const Position &position);
  /// Stores the results of a kernel of elementwise ops only.
  void finish(const Position &position) { finish({}, {}, position); }

  /// Ends the function and adds its arguments. Table contents are then final.
  mlir::func::FuncOp build(mlir::Block &destination);
  const TableContents &getTables() const { return contents; }

private:
  mlir::Value evaluate(mlir::Value tensor, const Position &position);
  template <typename T>
  static Table addTable(mlir::Value buffer, llvm::SmallVectorImpl<T> &contents,
                        llvm::ArrayRef<T> values) {
    Table table{buffer, int64_t(contents.size())};
    llvm::append_range(contents, values);
    return table;
  }

  KernelOp kernel;
  const ScaleTables &scaleTables;
  YieldOp yield;
  mlir::func::FuncOp function;
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;
  llvm::SmallVector<mlir::Value> outputs;
  TableContents contents;
  mlir::Value integerTable, realTable, byteTable, scratch;
  int64_t scratchBytes = 0;
  mlir::Operation *entryEnd = nullptr;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars;
  /// Elements of tensors at the position that is being finished.
  llvm::DenseMap<mlir::Value, mlir::Value> elements;
  /// What elementwise ops need once per kernel.
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<mlir::Value>> invariants;
  llvm::DenseMap<mlir::Operation *, Table> tables;
  /// See `DerivedScales`.
  struct Derived {
    Table base, steps;
    mlir::Value factor;
  };
  llvm::DenseMap<mlir::Operation *, Derived> derivedScales;

  friend class ElementEmitter;
};

} // namespace tte

#endif // TTE_LOWERING_KERNELEMITTER_H
