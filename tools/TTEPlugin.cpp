// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loaded by a stock mlir-opt of the same version:
// mlir-opt --load-dialect-plugin=libTTEPlugin.so --load-pass-plugin=libTTEPlugin.so
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "tte/Passes/Passes.h"

extern "C" LLVM_ATTRIBUTE_WEAK ::mlir::DialectPluginLibraryInfo mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "tte", TTE_VERSION,
          [](mlir::DialectRegistry *registry) { registry->insert<tte::TTEDialect>(); }};
}

extern "C" LLVM_ATTRIBUTE_WEAK ::mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "tte", TTE_VERSION, [] { tte::registerTTEPasses(); }};
}
