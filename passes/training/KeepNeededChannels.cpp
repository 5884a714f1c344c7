// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keeps of an activation only the channels that weight gradients need.
#include "NarrowGradients.h"
#include "tte/IR/TTEOps.h"

using namespace mlir;
using namespace tte;

namespace {
/// A weight gradient of a range of its input's channels.
struct PartialUse {
  Operation *gradient;
  int64_t offset, channels;
};
} // namespace

/// The range of `gradient` along the last dimension of its input, if it reads that input in part.
static std::optional<PartialUse> getPartialUse(Operation *gradient, Value input) {
  int64_t offset, channels;
  if (auto conv = dyn_cast<Conv2DWeightGradOp>(gradient)) {
    if (conv.getGroups() != 1 && !conv.isDepthwise())
      return std::nullopt;
    offset = conv.getOffset();
    channels = cast<RankedTensorType>(conv.getType()).getDimSize(conv.isDepthwise() ? 3 : 2);
  } else if (auto dense = dyn_cast<DenseWeightGradOp>(gradient)) {
    offset = dense.getOffset();
    channels = cast<RankedTensorType>(dense.getType()).getDimSize(0);
  } else {
    return std::nullopt;
  }
  if (gradient->getOperand(0) != input || gradient->getOperand(1) == input)
    return std::nullopt;
  return PartialUse{gradient, offset, channels};
}

/// Whether the op needs of `value` only where it was clamped: a bit an element.
static bool needsMaskAlone(Operation *op, Value value) {
  auto mask = dyn_cast<ClampGradOp>(op);
  return mask && mask.getOutput() == value && mask.getGradient() != value;
}

/// What the backward pass, all that follows `check`, reads of `value`: ranges for weight gradients,
/// if these and masks are all and keeping both is less than the whole.
static SmallVector<PartialUse> collectPartialUses(Value value, Operation *check) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() < 2)
    return {};
  SmallVector<PartialUse> uses;
  double kept = 0, whole = type.getDimSize(type.getRank() - 1);
  int64_t masks = 0;
  for (Operation *user : value.getUsers()) {
    if (user->isBeforeInBlock(check) || user == check)
      continue;
    if (needsMaskAlone(user, value)) {
      ++masks;
      continue;
    }
    std::optional<PartialUse> use = getPartialUse(user, value);
    if (!use)
      return {};
    kept += use->channels;
    uses.push_back(*use);
  }
  double bits = masks * whole / getStorageTensor(type).getElementTypeBitWidth();
  if (masks > 1 || kept + bits >= whole)
    return {};
  return uses;
}

/// The channels that `use` needs, sliced off `value` after which the builder stands.
static Value sliceChannels(OpBuilder &builder, const PartialUse &use, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> offsets(type.getRank(), 0), shape(type.getShape());
  offsets.back() = use.offset;
  shape.back() = use.channels;
  return SliceOp::create(builder, use.gradient->getLoc(), getSlicedType(type, offsets, shape),
                         value, offsets);
}

static void readSlice(const PartialUse &use, Value value) {
  OpBuilder builder(use.gradient);
  auto conv = dyn_cast<Conv2DWeightGradOp>(use.gradient);
  if (conv && conv.isDepthwise()) { // channel by channel: both operands are as narrow
    conv.getGradientMutable().assign(sliceChannels(builder, use, conv.getGradient()));
    conv.setGroups(use.channels);
  }
  builder.setInsertionPointAfterValue(value);
  use.gradient->setOperand(0, sliceChannels(builder, use, value));
  if (conv)
    conv.setOffset(0);
  else
    cast<DenseWeightGradOp>(use.gradient).setOffset(0);
}

static bool isInput(BlockArgument argument) {
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto role = function.getArgAttrOfType<RoleAttr>(argument.getArgNumber(), "tte.role");
  return role && role.getValue() == Role::input;
}

void tte::keepNeededChannels(func::FuncOp step) {
  Block &block = step.getBody().front();
  auto checks = block.getOps<CheckFiniteOp>();
  if (checks.empty())
    return;
  Operation *check = (*checks.begin()).getOperation();
  SmallVector<Value> values;
  for (BlockArgument argument : step.getArguments())
    if (isInput(argument))
      values.push_back(argument);
  for (Operation &op : llvm::make_range(block.begin(), check->getIterator()))
    llvm::append_range(values, op.getResults());
  for (Value value : values)
    for (const PartialUse &use : collectPartialUses(value, check))
      readSlice(use, value);
}
