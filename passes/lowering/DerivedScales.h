// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scales that follow from others which are in flash anyway. Knows numbers and nothing of kernels.
#ifndef TTE_LOWERING_DERIVEDSCALES_H
#define TTE_LOWERING_DERIVEDSCALES_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace tte {

/// scale[c] is the quotient factor / base[c], rounded to f32, moved by steps[c] units in the last
/// place: exact, in a byte a channel beside the base.
struct DerivedScales {
  llvm::SmallVector<float> base;
  float factor;
  llvm::SmallVector<int8_t> steps;
};

/// The scales of weights that kernels of input gradients read.
///
/// The grid of a bias is that of its weight times the scale of the input: updates of a bias divide
/// by scales that differ from those of the weight by a factor and by roundings.
class ScaleTables {
public:
  explicit ScaleTables(mlir::ModuleOp kernels);
  /// `scales` by the reciprocals of consecutive scales of a weight, where there are such.
  std::optional<DerivedScales> derive(llvm::ArrayRef<float> scales) const;

private:
  llvm::SmallVector<llvm::SmallVector<float>> tables;
};

} // namespace tte

#endif // TTE_LOWERING_DERIVEDSCALES_H
