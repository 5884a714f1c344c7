// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Packs the mask of a clamped value, a byte at a time.
#include "../Elementwise.h"
#include "../KernelFamily.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

class ClampMaskFamily : public OpFamily<ClampMaskOp> {
  void emit(ClampMaskOp op, KernelEmitter &kernel) const override {
    auto type = cast<RankedTensorType>(op.getOutput().getType());
    int64_t elements = type.getNumElements(), whole = elements / 8;
    Value values = kernel.bufferOf(op.getOutput());
    auto emitByte = [&](Index byte, int64_t bits) {
      Value packed = kernel.i32(0);
      for (int64_t bit = 0; bit < bits; ++bit) {
        Value value = kernel.load(values, kernel.mul(byte, 8) + bit);
        Value inside = emitInside(kernel, value, type, op.getRange());
        Value set = kernel.i32(1 << bit);
        if (inside)
          set = arith::SelectOp::create(kernel.builder, kernel.loc, inside, set, kernel.i32(0));
        packed = arith::OrIOp::create(kernel.builder, kernel.loc, packed, set);
      }
      kernel.finish(op.getMask(), packed, {byte, byte, {}, 1});
    };
    kernel.loop(0, whole, 1, [&](Index byte) { emitByte(byte, 8); });
    if (elements % 8)
      emitByte(whole, elements % 8);
  }
  /// Byte k of the mask is written after eight values are read.
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    return Overlap{Overlap::Traversal::Ascending, 1 - 8 * getElementBytes(root->getOperand(0))};
  }
  Visits getVisits(Operation *root) const override { return Visits::Ascending; }
};

} // namespace

void tte::addClampMaskFamily(FamilyList &families) {
  families.push_back(std::make_unique<ClampMaskFamily>());
}
