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
