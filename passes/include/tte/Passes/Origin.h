// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the elements of a parameter lie in the original one, from which channels were taken in part
// or in another order. On globals `tte.origin` is a #tte.origin, `tte.part_of` the name of the
// original. On globals and updates `tte.places` holds a list for each dimension: element i is
// element list[i] of the original or, where the list is empty, i + offset of the origin.
#ifndef TTE_PASSES_ORIGIN_H
#define TTE_PASSES_ORIGIN_H

#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "tte/IR/TTEOps.h"

namespace tte {

/// The list of `tte.places` of an op for a dimension, else an empty one.
llvm::ArrayRef<int64_t> getPlaces(mlir::Operation *op, unsigned dimension);

/// The name of the parameter that `parameter` is, or is a part of.
llvm::StringRef getOriginalName(mlir::ml_program::GlobalOp parameter);

/// Notes on the update of `parameter` where that comes from.
void takeOrigin(SGDOp update, mlir::ml_program::GlobalOp parameter);

/// Notes on an update and its parameter that they are the box of `whole` at `offsets` with `shape`,
/// given where `whole` comes from.
void narrowOrigin(SGDOp update, mlir::ml_program::GlobalOp parameter, mlir::RankedTensorType whole,
                  llvm::ArrayRef<int64_t> offsets, llvm::ArrayRef<int64_t> shape);

} // namespace tte

#endif // TTE_PASSES_ORIGIN_H
