// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that move elements: slice and its gradient, permute, reshape.
#include "../KernelFamily.h"

using namespace mlir;
using namespace tte;

namespace {

ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

/// Loops over all elements of `shape`, by vectors along the last dimension.
void loopElements(KernelEmitter &kernel, ArrayRef<int64_t> shape, int64_t lanes,
                  function_ref<void(ArrayRef<Index>, int64_t)> body) {
  if (shape.empty())
    return body({}, 1);
  kernel.loopNest(shape.drop_back(), [&](ArrayRef<Index> outer) {
    kernel.loopLanes(shape.back(), lanes, [&](Index last, int64_t lanes) {
      SmallVector<Index> indices(outer);
      indices.push_back(last);
      body(indices, lanes);
    });
  });
}

Position makePosition(KernelEmitter &kernel, ArrayRef<Index> indices, ArrayRef<int64_t> shape,
                      int64_t lanes) {
  return {kernel.linearize(indices, shape), indices.empty() ? Index(0) : indices.back(),
          SmallVector<Index>(indices), lanes};
}

SmallVector<Index> translate(ArrayRef<Index> indices, ArrayRef<int64_t> offsets) {
  SmallVector<Index> moved;
  for (auto [index, offset] : llvm::zip_equal(indices, offsets))
    moved.push_back(index + offset);
  return moved;
}

class SliceFamily : public OpFamily<SliceOp> {
  void emit(SliceOp op, KernelEmitter &kernel) const override {
    ArrayRef<int64_t> shape = shapeOf(op.getResult());
    loopElements(
        kernel, shape, kernel.target.vectorWidth, [&](ArrayRef<Index> indices, int64_t lanes) {
          Index from =
              kernel.linearize(translate(indices, op.getOffsets()), shapeOf(op.getInput()));
          kernel.finish(op.getResult(), kernel.load(kernel.bufferOf(op.getInput()), from, lanes),
                        makePosition(kernel, indices, shape, lanes));
        });
  }
  /// Reads ascend faster than writes: later ones are furthest behind after the first.
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    auto op = cast<SliceOp>(root);
    ArrayRef<int64_t> from = shapeOf(op.getInput()), shape = shapeOf(op.getResult());
    int64_t second = std::min<int64_t>(1, op.getType().getNumElements() - 1);
    int64_t source = 0, stride = 1;
    for (size_t dimension = shape.size(); dimension-- > 0;) {
      source += (second % shape[dimension] + op.getOffsets()[dimension]) * stride;
      stride *= from[dimension];
      second /= shape[dimension];
    }
    int64_t bytes = getElementBytes(op.getResult());
    return Overlap{Overlap::Traversal::Ascending, (1 - source) * bytes};
  }
  Visits getVisits(Operation *root) const override { return Visits::Ascending; }
};

class PermuteFamily : public OpFamily<PermuteOp> {
  void emit(PermuteOp op, KernelEmitter &kernel) const override {
    ArrayRef<int64_t> shape = shapeOf(op.getResult());
    loopElements(kernel, shape, 1, [&](ArrayRef<Index> indices, int64_t lanes) {
      SmallVector<Index> from(indices.size());
      for (auto [index, dimension] : llvm::zip_equal(indices, op.getPermutation()))
        from[dimension] = index;
      Index element = kernel.linearize(from, shapeOf(op.getInput()));
      kernel.finish(op.getResult(), kernel.load(kernel.bufferOf(op.getInput()), element),
                    makePosition(kernel, indices, shape, lanes));
    });
  }
};

class ReshapeFamily : public OpFamily<ReshapeOp> {
  void emit(ReshapeOp op, KernelEmitter &kernel) const override {
    ArrayRef<int64_t> shape = shapeOf(op.getResult());
    loopElements(
        kernel, shape, kernel.target.vectorWidth, [&](ArrayRef<Index> indices, int64_t lanes) {
          Position position = makePosition(kernel, indices, shape, lanes);
          kernel.finish(op.getResult(),
                        kernel.load(kernel.bufferOf(op.getInput()), position.linear, lanes),
                        position);
        });
  }
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    return Overlap{Overlap::Traversal::Ascending, 0};
  }
  Visits getVisits(Operation *root) const override { return Visits::Ascending; }
};

class SliceGradientFamily : public OpFamily<SliceGradOp> {
  void emit(SliceGradOp op, KernelEmitter &kernel) const override {
    ArrayRef<int64_t> shape = shapeOf(op.getResult());
    int64_t lanes = kernel.target.vectorWidth;
    Value output = kernel.getOutput(0);
    kernel.loopLanes(
        cast<RankedTensorType>(op.getType()).getNumElements(), lanes,
        [&](Index element, int64_t lanes) { kernel.store(kernel.f32(0, lanes), output, element); });
    ArrayRef<int64_t> box = shapeOf(op.getGradient());
    loopElements(kernel, box, lanes, [&](ArrayRef<Index> indices, int64_t lanes) {
      Value g =
          kernel.load(kernel.bufferOf(op.getGradient()), kernel.linearize(indices, box), lanes);
      kernel.store(g, output, kernel.linearize(translate(indices, op.getOffsets()), shape));
    });
  }
};

} // namespace

void tte::addDataMovementFamilies(FamilyList &families) {
  families.push_back(std::make_unique<SliceFamily>());
  families.push_back(std::make_unique<PermuteFamily>());
  families.push_back(std::make_unique<ReshapeFamily>());
  families.push_back(std::make_unique<SliceGradientFamily>());
}
