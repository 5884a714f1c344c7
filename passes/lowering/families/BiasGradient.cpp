// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient with respect to a bias: sums over all pixels, a tile of channels at a time.
#include "../FinishLoop.h"
#include "../KernelFamily.h"
#include "../Pointers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

/// The sums of `count` vectors of `lanes` channels from `first` on.
SmallVector<Value> sumPixels(KernelEmitter &kernel, Value gradient, RankedTensorType type,
                             Index first, int64_t count, int64_t lanes) {
  int64_t channels = type.getShape().back(), pixels = type.getNumElements() / channels;
  int64_t rowBytes = channels * int64_t(sizeof(float));
  int64_t unroll = pixels % 2 ? 1 : 2;
  Pointer begin = getPointer(kernel, gradient, first);
  SmallVector<Value> pointers{materialize(kernel, begin)};
  SmallVector<Value> sums(count, kernel.f32(0, lanes));
  return loopPointers(
      kernel, getEnd(kernel, begin, pixels * rowBytes), pointers, sums,
      [&](MutableArrayRef<Value> pointers, ArrayRef<Value> carried) {
        SmallVector<Value> next(carried);
        for (int64_t pixel = 0; pixel < unroll; ++pixel) {
          loadRow(kernel, pointers[0], count, lanes, rowBytes, [&](int64_t c, Value g) {
            next[c] = arith::AddFOp::create(kernel.builder, kernel.loc, next[c], g);
          });
        }
        return next;
      });
}

class BiasGradientFamily : public OpFamily<BiasGradOp> {
  void emit(BiasGradOp op, KernelEmitter &kernel) const override {
    auto type = cast<RankedTensorType>(op.getGradient().getType());
    Value gradient = kernel.bufferOf(op.getGradient());
    // Wider tiles save loads of pointers and cost code for each update that follows.
    constexpr int64_t width = 8;
    int64_t pixels = type.getNumElements() / type.getShape().back();
    FinishLoop finishLoop(kernel, op.getResult(), width, pixels);
    auto emitTile = [&](Index first, int64_t count, int64_t lanes) {
      SmallVector<Value> sums = sumPixels(kernel, gradient, type, first, count, lanes);
      finishLoop.run(sums, count, [&](Index, Index vector, Value sum) {
        Index channel = kernel.add(first, kernel.mul(vector, lanes));
        kernel.finish(op.getResult(), sum, {channel, channel, {channel}, lanes});
      });
    };
    kernel.loopTiles(type.getShape().back(), width, kernel.target.vectorWidth, emitTile);
  }
};

} // namespace

void tte::addBiasGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<BiasGradientFamily>());
}
