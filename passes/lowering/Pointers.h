// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory accesses and loops over addresses. Loops over memrefs leave the choice of addresses to
// the code generator, which spends instructions on them in tight loops; here a loop advances its
// pointers itself and ends where the first of them arrives.
#ifndef TTE_LOWERING_POINTERS_H
#define TTE_LOWERING_POINTERS_H

#include "KernelBuilder.h"

namespace tte {

/// An element of a buffer.
struct Place {
  mlir::Value buffer;
  Index element = 0;
};

/// An address whose constant part is known: base + offset bytes.
struct Pointer {
  mlir::Value base;
  int64_t offset = 0;

  Pointer(mlir::Value base, int64_t offset = 0) : base(base), offset(offset) {}
  Pointer operator+(int64_t bytes) const { return Pointer(base, offset + bytes); }
};

/// Whether the code generator may move a load. In loops with many accumulators it moves loads up
/// and then spills; loads that stay in place avoid that.
enum class Order { Free, AsWritten };

/// The address of element `index` of `buffer`.
Pointer getPointer(KernelBuilder &kernel, mlir::Value buffer, Index index = 0);
/// `pointer` moved by a number of bytes.
Pointer advance(KernelBuilder &kernel, Pointer pointer, Index bytes);
/// The address as a value, of type !llvm.ptr.
mlir::Value materialize(KernelBuilder &kernel, Pointer pointer);

/// A scalar or vector of `type`; addresses are multiples of `alignment`, which is the size of an
/// element where it is 0.
mlir::Value loadAt(KernelBuilder &kernel, mlir::Type type, Pointer pointer,
                   Order order = Order::Free, unsigned alignment = 0);
void storeAt(KernelBuilder &kernel, mlir::Value value, Pointer pointer, unsigned alignment = 0);
/// `count` consecutive f32, by one instruction where the target has it. `inUse` values of another
/// such load live beside them.
llvm::SmallVector<mlir::Value> loadReals(KernelBuilder &kernel, Pointer pointer, int64_t count,
                                         int64_t inUse = 0);
/// The same; advances `pointer` over them.
llvm::SmallVector<mlir::Value> loadRealsAndAdvance(KernelBuilder &kernel, mlir::Value &pointer,
                                                   int64_t count, int64_t inUse = 0);

/// Calls `body` for `count` consecutive vectors of `lanes` f32, loaded a few at a time so that few
/// registers hold them; moves `pointer` by `rowBytes`.
void loadRow(KernelBuilder &kernel, mlir::Value &pointer, int64_t count, int64_t lanes,
             int64_t rowBytes, llvm::function_ref<void(int64_t, mlir::Value)> body);
/// Values that such a load takes at once at most, where one instruction does it.
constexpr int64_t loadedTogether = 6;
/// Stores consecutive f32, by one instruction where the target has it; advances `pointer`.
void storeRealsAndAdvance(KernelBuilder &kernel, llvm::ArrayRef<mlir::Value> values,
                          mlir::Value &pointer);

/// Converts i32 to f32 and stores them as `storeRealsAndAdvance` does; a few at once.
void storeConvertedAndAdvance(KernelBuilder &kernel, llvm::ArrayRef<mlir::Value> integers,
                              mlir::Value &pointer);

/// Runs `body` until it leaves its first pointer at `end`, at least once. The body advances the
/// pointers that it gets and returns the next carried values. On return the pointers are those
/// that the loop ends with.
using PointerBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    llvm::MutableArrayRef<mlir::Value> pointers, llvm::ArrayRef<mlir::Value> carried)>;
llvm::SmallVector<mlir::Value> loopPointers(KernelBuilder &kernel, mlir::Value end,
                                            llvm::SmallVectorImpl<mlir::Value> &pointers,
                                            llvm::ArrayRef<mlir::Value> carried, PointerBody body);
/// The address `bytes` after `pointer`, to end a loop at: the code generator keeps it in a
/// register instead of counting iterations beside the pointers.
mlir::Value getEnd(KernelBuilder &kernel, Pointer pointer, Index bytes);

} // namespace tte

#endif // TTE_LOWERING_POINTERS_H
