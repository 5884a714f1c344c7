// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of layers, as diagnostics and reports give them.
#ifndef TTE_PASSES_LAYERS_H
#define TTE_PASSES_LAYERS_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Operation.h"

namespace tte {

/// The module path of the layer that `location` names ("features.0.0"): the first name
/// in it, from outside in. Empty where there is none.
llvm::StringRef layerName(mlir::Location location);

/// An error at `op` that begins with its layer and its name: "layer 'features.0.0': tte.add ".
mlir::InFlightDiagnostic emitLayerError(mlir::Operation *op);

} // namespace tte

#endif // TTE_PASSES_LAYERS_H
