// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weights of a layer as kernels read them: parts in buffers, and a table of scales.
#ifndef TTE_LOWERING_WEIGHTPARTS_H
#define TTE_LOWERING_WEIGHTPARTS_H

#include "ConvShape.h"
#include "KernelEmitter.h"

namespace tte {

/// The parts of a weight along `axis`, one behind the other.
llvm::SmallVector<WeightPart> getWeightParts(KernelEmitter &kernel, mlir::ValueRange weights,
                                             int64_t axis);

/// A table of f32 with the scale of each output channel; none for weights of f32.
std::optional<Table> addScaleTable(KernelEmitter &kernel, mlir::ValueRange weights, int64_t axis);

} // namespace tte

#endif // TTE_LOWERING_WEIGHTPARTS_H
