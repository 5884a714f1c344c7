// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of layers, as diagnostics and reports give them.
#ifndef TTE_PASSES_LAYERS_H
#define TTE_PASSES_LAYERS_H

#include "mlir/IR/Location.h"

namespace tte {

/// The module path of the layer that `location` names ("features.0.0"): the first name
/// in it, from outside in. Empty where there is none.
llvm::StringRef layerName(mlir::Location location);

} // namespace tte

#endif // TTE_PASSES_LAYERS_H
