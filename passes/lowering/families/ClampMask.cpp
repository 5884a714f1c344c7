// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Packs the mask of a clamped value, a byte at a time.
#include "../Elementwise.h"
#include "../KernelFamily.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace tte;

namespace {

/// The mask of four int8 at once, by instructions that compare the bytes of a word.
class WordMask {
public:
  /// None where the target has no such instructions, or where nothing is inside.
  static std::optional<WordMask> get(KernelEmitter &kernel, RankedTensorType type,
                                     ClampAttr range) {
    if (!kernel.target.dsp || !getStorageTensor(type).getElementType().isInteger(8))
      return std::nullopt;
    int64_t lower = std::floor(std::max(range.getMin(), -129.0));
    int64_t upper = std::ceil(std::min(range.getMax(), 128.0));
    if (upper - lower < 2)
      return std::nullopt;
    return WordMask(kernel, lower, upper);
  }

  /// `sum` and the bits `weights`, a byte for each, of those of the values that are inside.
  Value emit(Value values, int32_t weights, Value sum) {
    // lower < y < upper is y - (lower + 1) <= upper - lower - 2 of unsigned bytes.
    Value distance = kernel.armIntrinsic("uadd8", {values, shift});
    kernel.armIntrinsic("usub8", {limit, distance}); // for its comparison, which sel reads
    Value bits = kernel.armIntrinsic("sel", {kernel.i32(weights), kernel.i32(0)});
    return kernel.armIntrinsic("usada8", {bits, kernel.i32(0), sum});
  }

private:
  WordMask(KernelEmitter &kernel, int64_t lower, int64_t upper)
      : kernel(kernel), shift(inAllBytes(-(lower + 1))), limit(inAllBytes(upper - lower - 2)) {}

  Value inAllBytes(int64_t value) { return kernel.i32(uint32_t(value & 255) * 0x01010101u); }

  KernelEmitter &kernel;
  Value shift, limit;
};

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
    std::optional<WordMask> words = WordMask::get(kernel, type, op.getRange());
    kernel.loop(0, whole, 1, [&](Index byte) {
      if (!words)
        return emitByte(byte, 8);
      Value packed = kernel.i32(0);
      for (int64_t half = 0; half < 2; ++half) {
        Value four = kernel.loadPacked(values, kernel.mul(byte, 8) + half * 4, 32);
        packed = words->emit(four, half ? 0x80402010 : 0x08040201, packed);
      }
      kernel.finish(op.getMask(), packed, {byte, byte, {}, 1});
    });
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
