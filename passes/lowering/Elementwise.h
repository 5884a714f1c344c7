// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that compute each element of their result from the same element of their operands.
#ifndef TTE_LOWERING_ELEMENTWISE_H
#define TTE_LOWERING_ELEMENTWISE_H

#include "KernelEmitter.h"

namespace tte {

/// Whether `op` can be applied to elements one by one.
bool isElementwise(mlir::Operation *op);

/// The elements of the result of `op` at `position`, given the elements of its tensor operands.
mlir::Value emitElementwise(mlir::Operation *op, KernelEmitter &kernel, const Position &position,
                            llvm::function_ref<mlir::Value(mlir::Value)> elementOf);

/// The bounds of a result in its stored domain: `clamp` within the storage range. No value where
/// there is no bound.
struct Bounds {
  std::optional<double> lower, upper;
};
Bounds getBounds(mlir::Type type, std::optional<ClampAttr> clamp);

/// Whether range.min < value < range.max for stored elements of a tensor type; null where that
/// always holds.
mlir::Value emitInside(KernelEmitter &kernel, mlir::Value value, mlir::Type tensor,
                       ClampAttr range);

} // namespace tte

#endif // TTE_LOWERING_ELEMENTWISE_H
