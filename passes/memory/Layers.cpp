// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tte/Passes/Layers.h"
#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;

llvm::StringRef tte::layerName(Location location) {
  StringRef found;
  location->walk([&](Location part) {
    auto name = dyn_cast<NameLoc>(part);
    if (!name)
      return WalkResult::advance();
    found = name.getName();
    return WalkResult::interrupt();
  });
  return found;
}

InFlightDiagnostic tte::emitLayerError(Operation *op) {
  InFlightDiagnostic diagnostic = emitError(op->getLoc());
  StringRef layer = layerName(op->getLoc());
  if (!layer.empty())
    diagnostic << "layer '" << layer << "': ";
  diagnostic << op->getName().getStringRef() << " ";
  return diagnostic;
}
