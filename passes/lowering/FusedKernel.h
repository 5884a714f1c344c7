// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel made of calls of kernels on parts of its buffers. Knows how to pass bytes on, and
// nothing of what is computed.
#ifndef TTE_LOWERING_FUSEDKERNEL_H
#define TTE_LOWERING_FUSEDKERNEL_H

#include "KernelLibrary.h"

namespace tte {

/// Bytes of a buffer from an offset on.
struct Bytes {
  mlir::Value buffer;
  Index offset;
};

class FusedKernel : public KernelBuilder {
public:
  FusedKernel(mlir::OpBuilder &builder, KernelOp kernel, KernelLibrary &library);

  /// The buffers of an input, of the result, and of the scratch.
  Bytes getInput(mlir::Value argument) { return {inputs.lookup(argument), 0}; }
  Bytes getOutput(unsigned index) { return {outputs[index], 0}; }
  Bytes getScratch(int64_t offset) { return {scratch, offset}; }
  void setScratchBytes(int64_t bytes);
  using KernelBuilder::add;
  Bytes add(Bytes bytes, Index offset) {
    return {bytes.buffer, KernelBuilder::add(bytes.offset, offset)};
  }

  /// Where the constants of a part lie in a table of this kernel, in elements: version after
  /// version, or once (step 0) where they are the same in all versions.
  struct TablePart {
    int64_t offset = 0, size = 0, step = 0;
  };
  /// A kernel that this one calls, perhaps in several versions that differ in their constants;
  /// these join this kernel's.
  struct Part {
    LoweredKernel kernel;
    TablePart integers, reals, bytes;
  };
  mlir::FailureOr<Part> addPart(KernelOp part) { return addParts(part); }
  mlir::FailureOr<Part> addParts(llvm::ArrayRef<KernelOp> versions);
  /// Calls a version. Bytes must start at a multiple of 4.
  void call(const Part &part, llvm::ArrayRef<Bytes> inputs, Bytes scratch,
            llvm::ArrayRef<Bytes> outputs, Index version = 0);

  /// Copies ascending; `inWords` where both start at a multiple of 4.
  void copy(Bytes from, Bytes to, int64_t bytes, bool inWords);
  void fill(Bytes to, int64_t value, int64_t bytes, bool inWords);
  void when(mlir::Value condition, llvm::function_ref<void()> then,
            llvm::function_ref<void()> otherwise = nullptr);
  mlir::Value isLess(Index lhs, Index rhs);

  /// Ends the function.
  mlir::func::FuncOp build(mlir::Block &destination);
  const TableContents &getTables() const { return contents; }

private:
  mlir::Value view(Bytes bytes, mlir::Type type);
  void
  loopWords(int64_t bytes, bool inWords,
            llvm::function_ref<void(Index element, int64_t count, mlir::Type element_type)> body);

  KernelLibrary &library;
  mlir::func::FuncOp function;
  llvm::DenseMap<mlir::Value, mlir::Value> inputs;
  llvm::SmallVector<mlir::Value> outputs;
  mlir::Value integerTable, realTable, byteTable, scratch;
  int64_t scratchBytes = 0;
  TableContents contents;
};

} // namespace tte

#endif // TTE_LOWERING_FUSEDKERNEL_H
