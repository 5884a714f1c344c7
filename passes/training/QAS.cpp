// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tte/Passes/Passes.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_QAS
#include "tte/Passes/Passes.h.inc"
} // namespace tte

namespace {
struct QASPass : tte::impl::QASBase<QASPass> {
  void runOnOperation() override {
    getOperation().walk([](SGDOp update) {
      quant::QuantizedType grid = getQuantizedElement(update.getParameter().getType());
      if (!grid)
        return;
      OpBuilder builder(update);
      Value gradient = update.getGradient();
      update.getGradientMutable().assign(ScaleGradientOp::create(
          builder, update.getLoc(), gradient.getType(), gradient, grid, -2));
    });
  }
};
} // namespace
