// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ChannelBlock.h"
#include "tte/Passes/Origin.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tte;

/// Bytes of the gradients of a group that are worth it: larger groups cost fewer instructions.
static constexpr int64_t groupBytes = 8192;
static constexpr int64_t smallestGroup = 8, largestGroup = 32;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static bool isPointwise(Conv2DInputGradOp op) {
  ArrayRef<int64_t> weight = typeOf(op.getWeights().front()).getShape();
  auto isOne = [](int64_t value) { return value == 1; };
  auto isZero = [](int64_t value) { return value == 0; };
  return weight[0] == 1 && weight[1] == 1 && op.getGroups() == 1 &&
         llvm::all_of(op.getStrides(), isOne) && llvm::all_of(op.getPadding(), isZero);
}

static bool isMask(Operation *op) { return isa_and_nonnull<ClampGradOp, ApplyMaskOp>(op); }

static Operation *getSingleUser(Value value) {
  return value.hasOneUse() ? *value.getUsers().begin() : nullptr;
}

/// The update that ends at the one reader of `gradient`, if it is one.
static std::optional<ChannelUpdate> getUpdate(Operation *gradient) {
  if (!isa<BiasGradOp, Conv2DWeightGradOp>(gradient))
    return std::nullopt;
  ChannelUpdate update{gradient, {}, {}};
  Operation *user = getSingleUser(gradient->getResult(0));
  if (auto scale = dyn_cast_or_null<ScaleGradientOp>(user)) {
    update.scale = scale;
    user = getSingleUser(scale.getResult());
  }
  update.update = dyn_cast_or_null<SGDOp>(user);
  if (!update.update || !getQuantizedElement(update.update.getType()) ||
      update.update.getResidual() || update.update.getUpdatePeriod() != 1)
    return std::nullopt;
  // The channels of a group must follow each other in the original parameter.
  if (!getPlaces(update.update, update.update.getType().getRank() - 1).empty())
    return std::nullopt;
  return update;
}

/// The updates from `gradient`, beside the ops of `others` that read it; none where it has other
/// readers.
static std::optional<SmallVector<ChannelUpdate>> getUpdates(Value gradient, Operation *other) {
  SmallVector<ChannelUpdate> updates;
  for (Operation *user : gradient.getUsers()) {
    if (user == other)
      continue;
    std::optional<ChannelUpdate> update = getUpdate(user);
    if (!update)
      return std::nullopt;
    updates.push_back(*update);
  }
  llvm::sort(updates, [](const ChannelUpdate &lhs, const ChannelUpdate &rhs) {
    return lhs.gradient->isBeforeInBlock(rhs.gradient);
  });
  return updates;
}

/// Packed masks must begin at whole bytes of every pixel, and masks must be of stored values.
static bool canCut(Operation *mask, int64_t channels) {
  if (isa<ApplyMaskOp>(mask))
    return channels % 8 == 0;
  quant::QuantizedType type = getQuantizedElement(cast<ClampGradOp>(mask).getOutput().getType());
  return type && type.getStorageTypeIntegralWidth() == 8;
}

/// The one input gradient that reads `gradient`, or null.
static Conv2DInputGradOp getInputGradient(Value gradient) {
  Conv2DInputGradOp found;
  for (Operation *user : gradient.getUsers())
    if (auto op = dyn_cast<Conv2DInputGradOp>(user)) {
      if (found)
        return {};
      found = op;
    }
  return found;
}

/// What ends at the gradient of the channels that the projection reads: nothing needs the gradient
/// of what the depthwise convolution reads.
static std::optional<ChannelBlock> getLastBlock(ChannelBlock block) {
  auto updates = getUpdates(block.projectMask->getResult(0), nullptr);
  if (!updates || updates->empty())
    return std::nullopt;
  block.depthwiseUpdates = *updates;
  return block;
}

static std::optional<ChannelBlock> getBlock(Conv2DInputGradOp project) {
  ChannelBlock block;
  block.project = project;
  Value unmasked = block.project.getResult();
  block.projectMask = getSingleUser(unmasked);
  if (!isPointwise(block.project) || typeOf(unmasked).getDimSize(0) != 1 ||
      !getQuantizedElement(project.getWeights().front().getType()))
    return std::nullopt;
  int64_t channels = block.getChannels();
  if (!isMask(block.projectMask) || !canCut(block.projectMask, channels) ||
      block.projectMask->getOperand(0) != unmasked)
    return std::nullopt;
  // Groups end where parts of the weight do: there, too, masks and rows must begin at whole words.
  if (llvm::any_of(ArrayRef(block.getProjectParts()).drop_back(),
                   [](int64_t part) { return part % smallestGroup != 0; }))
    return std::nullopt;
  block.depthwise = getInputGradient(block.projectMask->getResult(0));
  if (!block.depthwise)
    return getLastBlock(block);
  Conv2DInputGradOp depthwise = block.depthwise;
  if (!depthwise.isDepthwise())
    return std::nullopt;
  block.depthwiseMask = getSingleUser(depthwise.getResult());
  if (!isMask(block.depthwiseMask) || !canCut(block.depthwiseMask, channels) ||
      block.depthwiseMask->getOperand(0) != depthwise.getResult())
    return std::nullopt;
  Value gradient = block.depthwiseMask->getResult(0);
  block.expand = getInputGradient(gradient);
  if (block.expand && !isPointwise(block.expand))
    return std::nullopt;
  auto depthwiseUpdates = getUpdates(block.projectMask->getResult(0), depthwise);
  auto expandUpdates = getUpdates(gradient, block.expand);
  if (!depthwiseUpdates || !expandUpdates)
    return std::nullopt;
  block.depthwiseUpdates = *depthwiseUpdates;
  block.expandUpdates = *expandUpdates;
  // The depthwise weights of a group are gathered from one part.
  if (depthwise.getWeights().size() != 1)
    return std::nullopt;
  for (Conv2DInputGradOp op : {block.depthwise, block.expand})
    if (op && !getQuantizedElement(op.getWeights().front().getType()))
      return std::nullopt;
  if (block.expand) {
    auto add = dyn_cast_or_null<AddOp>(getSingleUser(block.expand.getResult()));
    if (add && add.getLhs() != add.getRhs() && !add.getClamp())
      block.skip = add;
  } else if (block.expandUpdates.empty()) {
    return std::nullopt;
  }
  return block;
}

static SetVector<Operation *> getOps(const ChannelBlock &block) {
  SetVector<Operation *> ops;
  ops.insert(block.project);
  ops.insert(block.projectMask);
  if (block.depthwise)
    ops.insert(block.depthwise);
  if (block.depthwiseMask)
    ops.insert(block.depthwiseMask);
  if (block.expand)
    ops.insert(block.expand);
  if (block.skip)
    ops.insert(block.skip);
  for (const ChannelUpdate &update :
       llvm::concat<const ChannelUpdate>(block.depthwiseUpdates, block.expandUpdates)) {
    ops.insert(update.gradient);
    if (update.scale)
      ops.insert(update.scale);
    ops.insert(update.update);
  }
  return ops;
}

SmallVector<Operation *> ChannelBlock::collect(Conv2DInputGradOp gradient) {
  std::optional<ChannelBlock> block = getBlock(gradient);
  if (!block)
    return {};
  SmallVector<Operation *> ops = getOps(*block).takeVector();
  llvm::sort(ops, [](Operation *lhs, Operation *rhs) { return lhs->isBeforeInBlock(rhs); });
  return ops;
}

std::optional<ChannelBlock> ChannelBlock::get(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    auto gradient = dyn_cast<Conv2DInputGradOp>(op);
    if (!gradient)
      continue;
    // The first one in program order is that of the projection.
    std::optional<ChannelBlock> block = getBlock(gradient);
    if (block && getOps(*block).size() == ops.size())
      return block;
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<ChannelBlock> ChannelBlock::get(Region &region) {
  return get(llvm::map_to_vector(region.front().without_terminator(),
                                 [](Operation &op) -> Operation * { return &op; }));
}

int64_t ChannelBlock::getChannels() const {
  return typeOf(Conv2DInputGradOp(project).getResult()).getDimSize(3);
}

int64_t ChannelBlock::getGroup() const {
  int64_t elements = typeOf(Conv2DInputGradOp(project).getResult()).getNumElements();
  if (depthwise)
    elements += typeOf(Conv2DInputGradOp(depthwise).getResult()).getNumElements();
  int64_t perChannel = elements / getChannels() * int64_t(sizeof(float));
  int64_t fits = groupBytes / perChannel / smallestGroup * smallestGroup;
  return std::min(std::clamp(fits, smallestGroup, largestGroup), getChannels());
}

SmallVector<int64_t> ChannelBlock::getProjectParts() const {
  return llvm::map_to_vector(Conv2DInputGradOp(project).getWeights(),
                             [](Value weight) { return typeOf(weight).getDimSize(2); });
}

Value ChannelBlock::getSkip() const {
  if (!skip)
    return {};
  AddOp add = skip;
  Conv2DInputGradOp op = expand;
  return add.getLhs() == op.getResult() ? add.getRhs() : add.getLhs();
}

Value ChannelBlock::getResult() const {
  if (skip)
    return AddOp(skip).getResult();
  return expand ? Conv2DInputGradOp(expand).getResult() : Value();
}
