// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient with respect to a bias: sums over all pixels, a tile of channels at a time.
#include "../KernelFamily.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

class BiasGradientFamily : public OpFamily<BiasGradOp> {
  void emit(BiasGradOp op, KernelEmitter &kernel) const override {
    constexpr int64_t tileWidth = 8;
    auto type = cast<RankedTensorType>(op.getGradient().getType());
    int64_t channels = type.getShape().back(), pixels = type.getNumElements() / channels;
    Value gradient = kernel.bufferOf(op.getGradient());
    auto emitTile = [&](Index first, int64_t count, int64_t lanes) {
      SmallVector<Value> sums(count, kernel.f32(0, lanes));
      sums = kernel.loop(0, pixels, 1, sums, [&](Index pixel, ArrayRef<Value> carried) {
        Index element = kernel.add(kernel.mul(pixel, channels), first);
        SmallVector<Value> next;
        for (auto [c, sum] : llvm::enumerate(carried))
          next.push_back(arith::AddFOp::create(kernel.builder, kernel.loc, sum,
                                               kernel.load(gradient, element + c * lanes, lanes)));
        return next;
      });
      for (auto [c, sum] : llvm::enumerate(sums)) {
        Index channel = first + c * lanes;
        kernel.finish(op.getResult(), sum, {channel, channel, {channel}, lanes});
      }
    };
    kernel.loopTiles(channels, tileWidth, kernel.target.vectorWidth, emitTile);
  }
};

} // namespace

void tte::addBiasGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<BiasGradientFamily>());
}
