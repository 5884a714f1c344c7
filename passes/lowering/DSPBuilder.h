// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Words of two 16-bit integers and the instructions on them, for targets with the DSP instructions
// of Armv7E-M. Loads stay in their order (`Order::AsWritten`); two words in one load become LDRD.
#ifndef TTE_LOWERING_DSPBUILDER_H
#define TTE_LOWERING_DSPBUILDER_H

#include "Pointers.h"

namespace tte {

class DSPBuilder {
public:
  explicit DSPBuilder(KernelBuilder &kernel)
      : kernel(kernel), builder(kernel.builder), loc(kernel.loc) {}

  mlir::Value pointerTo(Place place);
  mlir::Value advance(mlir::Value pointer, int64_t bytes);
  mlir::Value advance(mlir::Value pointer, Index bytes);

  mlir::Value loadWord(mlir::Value pointer, int64_t offset = 0);
  /// Two words from a multiple of 4 bytes on.
  std::pair<mlir::Value, mlir::Value> loadWords(mlir::Value pointer, int64_t offset = 0);
  /// A word from any byte on.
  mlir::Value loadUnalignedWord(mlir::Value pointer, int64_t offset = 0);
  /// Bytes: sign-extended one, zero-extended two.
  mlir::Value loadByte(mlir::Value pointer, int64_t offset = 0);
  mlir::Value loadBytePair(mlir::Value pointer, int64_t offset = 0);
  void storeWord(mlir::Value value, mlir::Value pointer, int64_t offset = 0);
  void storeUnalignedWord(mlir::Value value, mlir::Value pointer, int64_t offset = 0);
  void storeHalf(mlir::Value value, mlir::Value pointer, int64_t offset = 0);
  void storeByte(mlir::Value value, mlir::Value pointer, int64_t offset = 0);

  /// `loopPointers` over one pointer: runs `body` with it advanced by `step` bytes at a time until
  /// `bytes`, a multiple of it, are passed; without a loop where once suffices.
  llvm::SmallVector<mlir::Value>
  loop(mlir::Value pointer, int64_t bytes, int64_t step, llvm::ArrayRef<mlir::Value> init,
       llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, llvm::ArrayRef<mlir::Value>)>
           body);

  // Pairs of 16-bit integers in a word.
  mlir::Value sumProducts(mlir::Value lhs, mlir::Value rhs, mlir::Value sum) {
    return kernel.armIntrinsic("smlad", {lhs, rhs, sum});
  }
  /// (low, high) of 16 bits each.
  mlir::Value pack(mlir::Value low, mlir::Value high);
  mlir::Value rotate(mlir::Value word, int64_t bits);
  /// Bytes 0 and 2 of a word, sign-extended; `addend` (not null) is added to each half.
  mlir::Value widenEven(mlir::Value word, mlir::Value addend = {});
  /// Bytes 1 and 3 of a word.
  mlir::Value widenOdd(mlir::Value word, mlir::Value addend = {});
  /// The same 16-bit integer in both halves.
  mlir::Value splatHalves(int64_t value);

  KernelBuilder &kernel;

private:
  mlir::Value load(mlir::Type type, mlir::Value pointer, int64_t offset, unsigned alignment);
  void store(mlir::Value value, unsigned bits, mlir::Value pointer, int64_t offset,
             unsigned alignment = 0);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace tte

#endif // TTE_LOWERING_DSPBUILDER_H
