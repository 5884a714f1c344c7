// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the kernel of a dispatch promises about results over operands: what its root does, and
// that elementwise ops read an element of each operand as they write that of the result.
#include "ChannelBlock.h"
#include "Elementwise.h"
#include "KernelFamily.h"
#include "RowChain.h"
#include "tte/Passes/Overlap.h"

using namespace mlir;
using namespace tte;

int64_t tte::getElementBytes(Value value) {
  RankedTensorType storage = getStorageTensor(cast<RankedTensorType>(value.getType()));
  return llvm::divideCeil(storage.getElementTypeBitWidth(), 8);
}

/// Whether `op` reads element i of operand `operand` for element i of its result.
static bool readsElementwise(Operation *op, unsigned operand) {
  if (isa<ApplyMaskOp>(op) && op->getOperand(operand) == cast<ApplyMaskOp>(op).getMask())
    return false;
  return cast<ShapedType>(op->getOperand(operand).getType()).getShape() ==
         cast<ShapedType>(op->getResult(0).getType()).getShape();
}

/// Elements of `operand` are read as those of `result` are written.
static std::optional<Overlap> getElementwiseOverlap(Visits visits, Value operand, Value result) {
  int64_t read = getElementBytes(operand), written = getElementBytes(result);
  if (visits == Visits::Ascending) {
    auto type = cast<RankedTensorType>(result.getType());
    return Overlap{Overlap::Traversal::Ascending,
                   getElementwiseLag(type.getNumElements(), read, written)};
  }
  if (visits == Visits::Once && read == written)
    return Overlap{Overlap::Traversal::Exact, 0};
  return std::nullopt;
}

int64_t tte::getElementwiseLag(int64_t elements, int64_t readBytes, int64_t writtenBytes) {
  // After k elements are written those from k on are still read: k * (written - read) at most.
  int64_t widening = writtenBytes - readBytes;
  return widening > 0 ? (elements - 1) * widening : widening;
}

/// The result begins as a copy of what is added to it, before anything else is read.
static std::optional<Overlap> getChannelGroupOverlap(DispatchOp dispatch, unsigned operand,
                                                     unsigned result) {
  Region &body = dispatch.getBody();
  std::optional<ChannelBlock> block = ChannelBlock::get(body);
  Value skip = block ? block->getSkip() : Value();
  Value yielded = body.front().getTerminator()->getOperand(result);
  if (!skip || skip != body.getArgument(operand) || !skip.hasOneUse() ||
      yielded != block->getResult())
    return std::nullopt;
  return Overlap{Overlap::Traversal::Ascending, 0};
}

std::optional<Overlap> tte::getOverlap(DispatchOp dispatch, unsigned operand, unsigned result) {
  if (dispatch.getStrategy() == Strategy::row_stream) {
    std::optional<RowChain> chain = RowChain::get(dispatch.getBody());
    return chain ? chain->getOverlap(dispatch.getBody().getArgument(operand)) : std::nullopt;
  }
  if (dispatch.getStrategy() == Strategy::channel_group)
    return getChannelGroupOverlap(dispatch, operand, result);
  FailureOr<Operation *> root = findRoot(dispatch, dispatch.getBody());
  if (failed(root))
    return std::nullopt;
  const KernelFamily *family = *root ? findFamily(*root) : nullptr;
  Visits visits = family ? family->getVisits(*root) : Visits::Ascending;
  Block &body = dispatch.getBody().front();
  Value yielded = body.getTerminator()->getOperand(result);

  std::optional<Overlap> overlap;
  auto add = [&](std::optional<Overlap> next) {
    overlap = overlap ? intersect(overlap, next) : next;
    return overlap.has_value();
  };
  for (OpOperand &use : body.getArgument(operand).getUses()) {
    Operation *user = use.getOwner();
    std::optional<Overlap> answer;
    if (user == *root) {
      if (getElementBytes(user->getResult(0)) == getElementBytes(yielded))
        answer = family->getOverlap(user, use.getOperandNumber());
    } else if (isa<YieldOp>(user) || readsElementwise(user, use.getOperandNumber())) {
      answer = getElementwiseOverlap(visits, use.get(), yielded);
    }
    if (!add(answer))
      return std::nullopt;
  }
  return overlap;
}

std::optional<Overlap> tte::getOverlap(Operation *op, unsigned operand) {
  const KernelFamily *family = findFamily(op);
  return family ? family->getOverlap(op, operand) : std::nullopt;
}
