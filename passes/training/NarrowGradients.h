// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Slices of gradients, computed as narrower gradients, and what these keep of activations.
#ifndef TTE_TRAINING_NARROWGRADIENTS_H
#define TTE_TRAINING_NARROWGRADIENTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace tte {

/// Moves `tte.slice` from the result of gradient ops into them: the slice of a weight gradient
/// along the channels becomes the gradient of those channels; a slice of a scaled gradient or of
/// a sum of gradients moves to the operands.
void populateNarrowGradientPatterns(mlir::RewritePatternSet &patterns);

/// Where the backward pass of a training step needs some channels of an activation alone, for
/// weight gradients (and the bits of one mask), slices these off in the forward pass, so that the
/// whole value dies there. Only where that keeps less.
void keepNeededChannels(mlir::func::FuncOp step);

} // namespace tte

#endif // TTE_TRAINING_NARROWGRADIENTS_H
