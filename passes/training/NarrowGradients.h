// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Slices of gradients, computed as narrower gradients.
#ifndef TTE_TRAINING_NARROWGRADIENTS_H
#define TTE_TRAINING_NARROWGRADIENTS_H

#include "mlir/IR/PatternMatch.h"

namespace tte {

/// Moves `tte.slice` from the result of gradient ops into them: the slice of a weight gradient
/// along the channels becomes the gradient of those channels; a slice of a scaled gradient or of
/// a sum of gradients moves to the operands.
void populateNarrowGradientPatterns(mlir::RewritePatternSet &patterns);

} // namespace tte

#endif // TTE_TRAINING_NARROWGRADIENTS_H
