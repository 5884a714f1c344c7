// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ChannelGroup.h"
#include "KernelFamily.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tte;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static int64_t bytesOf(Type type) {
  RankedTensorType storage = getStorageTensor(cast<RankedTensorType>(type));
  return storage.getNumElements() * llvm::divideCeil(storage.getElementTypeBitWidth(), 8);
}

static Value getMaskSource(Operation *mask) { return mask->getOperand(1); }

namespace {

/// The channels [begin, begin + size) of a block.
struct Group {
  int64_t begin, size;
};

/// Cuts ops of a block to a group of its channels.
class GroupCutter {
public:
  explicit GroupCutter(const ChannelBlock &block) : block(block) {
    Conv2DInputGradOp project = block.project, depthwise = block.depthwise, expand = block.expand;
    auto add = [&](ValueRange values) { lastAxis.insert(values.begin(), values.end()); };
    add(project.getResult());
    if (depthwise) {
      add(depthwise.getResult());
      add(depthwise.getWeights());
    }
    for (Operation *mask : {block.projectMask, block.depthwiseMask}) {
      if (!mask)
        continue;
      add(mask->getResult(0));
      if (isa<ClampGradOp>(mask))
        add(getMaskSource(mask));
    }
    if (expand)
      add(expand.getWeights());
    for (const ChannelUpdate &update : block.depthwiseUpdates)
      if (auto weight = dyn_cast<Conv2DWeightGradOp>(update.gradient))
        add(weight.getInput());
    for (ChannelUpdate update :
         llvm::concat<const ChannelUpdate>(block.depthwiseUpdates, block.expandUpdates)) {
      add(update.gradient->getResult(0));
      if (update.scale)
        add(update.scale.getResult());
      add({update.update.getParameter(), update.update.getResult()});
    }
  }

  Type cut(Value value, Group group) const {
    RankedTensorType type = typeOf(value);
    for (Operation *mask : {block.projectMask, block.depthwiseMask})
      if (isa_and_nonnull<ApplyMaskOp>(mask) && value == getMaskSource(mask))
        return RankedTensorType::get({type.getNumElements() * group.size / block.getChannels()},
                                     type.getElementType());
    int64_t axis = type.getRank() - 1;
    if (llvm::is_contained(Conv2DInputGradOp(block.project).getWeights(), value))
      return cutRows(type, group);
    else if (!lastAxis.contains(value))
      return type;
    SmallVector<int64_t> offsets(type.getRank()), shape(type.getShape());
    offsets[axis] = group.begin;
    shape[axis] = group.size;
    return getSlicedType(type, offsets, shape);
  }

  /// Rows of the weight of the projection, which belong to the channels of a group.
  static Type cutRows(RankedTensorType type, Group group) {
    SmallVector<int64_t> shape(type.getShape());
    shape[2] = group.size;
    return getSlicedType(type, SmallVector<int64_t>(4), shape);
  }

  /// A kernel of `ops` on a group. Its arguments are the operands from outside, in order of use.
  /// `accumulate` adds the last argument, of the type of the result.
  OwningOpRef<KernelOp> makeKernel(ArrayRef<Operation *> ops, Group group,
                                   bool accumulate = false) const {
    OpBuilder builder(ops.front()->getContext());
    Location loc = ops.back()->getLoc();
    std::string name = "group";
    auto kernel = KernelOp::create(builder, loc, name, Strategy::plain);
    Block *body = builder.createBlock(&kernel.getBody());
    IRMapping mapping;
    for (Value operand : getOperands(ops, group))
      mapping.map(operand, body->addArgument(cut(operand, group), loc));
    Value result;
    for (Operation *op : ops) {
      Operation *copy =
          op == block.project ? cloneProject(builder, mapping, group) : builder.clone(*op, mapping);
      copy->getResult(0).setType(cut(op->getResult(0), group));
      adapt(copy, op, group);
      result = copy->getResult(0);
    }
    if (accumulate)
      result = AddOp::create(builder, loc, result.getType(),
                             body->addArgument(result.getType(), loc), result, ClampAttr());
    YieldOp::create(builder, loc, result);
    return kernel;
  }

  /// What `ops` read from outside for a group.
  SmallVector<Value> getOperands(ArrayRef<Operation *> ops, Group group) const {
    llvm::SetVector<Value> operands;
    for (Operation *op : ops)
      for (Value operand : op->getOperands())
        if (!llvm::is_contained(ops, operand.getDefiningOp()) && isRead(operand, group))
          operands.insert(operand);
    return operands.takeVector();
  }

  /// The part of the projection's weight that a group reads, and its first channel.
  std::pair<Value, int64_t> getProjectPart(int64_t channel) const {
    int64_t begin = 0;
    for (Value weight : Conv2DInputGradOp(block.project).getWeights()) {
      int64_t size = typeOf(weight).getDimSize(2);
      if (channel < begin + size)
        return {weight, begin};
      begin += size;
    }
    llvm_unreachable("parts cover all channels");
  }

private:
  bool isRead(Value operand, Group group) const {
    return !llvm::is_contained(Conv2DInputGradOp(block.project).getWeights(), operand) ||
           operand == getProjectPart(group.begin).first;
  }
  Operation *cloneProject(OpBuilder &builder, IRMapping &mapping, Group group) const {
    Conv2DInputGradOp project = block.project;
    Value weight = mapping.lookup(getProjectPart(group.begin).first);
    Operation *copy =
        Conv2DInputGradOp::create(builder, project.getLoc(), project.getResult().getType(),
                                  mapping.lookup(project.getGradient()), ValueRange(weight));
    mapping.map(project.getResult(), copy->getResult(0));
    return copy;
  }

  /// Attributes of the copy that speak of channels.
  void adapt(Operation *copy, Operation *original, Group group) const {
    llvm::TypeSwitch<Operation *>(copy)
        .Case<Conv2DInputGradOp, Conv2DWeightGradOp>([&](auto op) {
          if (op.getGroups() > 1)
            op.setGroups(group.size);
        })
        .Case<ScaleGradientOp>([&](ScaleGradientOp op) {
          auto update = cast<SGDOp>(*original->getResult(0).getUsers().begin());
          Type parameter = cut(update.getParameter(), group);
          if (op.getGrid() == typeOf(update.getParameter()).getElementType())
            op.setGridAttr(TypeAttr::get(cast<RankedTensorType>(parameter).getElementType()));
        })
        .Case<SGDOp>([&](SGDOp op) {
          if (getQuantizedElement(op.getType()).getStorageTypeIntegralWidth() == 32)
            return; // rounds to nearest: nothing depends on the place
          RankedTensorType whole = typeOf(cast<SGDOp>(original).getParameter());
          SmallVector<int64_t> shape(whole.getShape()), offsets(whole.getRank());
          if (std::optional<OriginAttr> origin = op.getOrigin()) {
            shape.assign(origin->getShape().begin(), origin->getShape().end());
            offsets.assign(origin->getOffsets().begin(), origin->getOffsets().end());
          }
          offsets.back() += group.begin;
          op.setOriginAttr(OriginAttr::get(op.getContext(), shape, offsets));
        });
  }

  const ChannelBlock &block;
  DenseSet<Value> lastAxis;
};

/// Where things of a group lie in the scratch.
struct GroupPlan {
  int64_t size, projectGradient, depthwiseGradient = 0, partOffset, scratchBytes = 0;
  llvm::MapVector<Value, int64_t> gathered; ///< saved values and weights, cut to the group

  GroupPlan(const ChannelBlock &block, const GroupCutter &cutter) {
    size = block.getGroup();
    Group group{0, size};
    auto take = [&](Value value) {
      int64_t offset = scratchBytes;
      scratchBytes += llvm::alignTo(bytesOf(cutter.cut(value, group)), 4);
      return offset;
    };
    auto gather = [&](Value value) {
      if (!gathered.contains(value))
        gathered[value] = take(value);
    };
    Conv2DInputGradOp depthwise = block.depthwise, expand = block.expand;
    projectGradient = take(block.projectMask->getResult(0));
    gather(getMaskSource(block.projectMask));
    if (depthwise) {
      depthwiseGradient = take(block.depthwiseMask->getResult(0));
      gather(getMaskSource(block.depthwiseMask));
      for (Value weight : depthwise.getWeights())
        gather(weight);
    }
    if (expand)
      for (Value weight : expand.getWeights())
        gather(weight);
    for (ChannelUpdate update :
         llvm::concat<const ChannelUpdate>(block.depthwiseUpdates, block.expandUpdates)) {
      if (typeOf(update.update.getParameter()).getRank() > 1)
        gather(update.update.getParameter());
    }
    for (const ChannelUpdate &update : block.depthwiseUpdates)
      if (auto weight = dyn_cast<Conv2DWeightGradOp>(update.gradient))
        gather(weight.getInput());
    partOffset = scratchBytes;
    int64_t partBytes = 0;
    auto count = [&](ArrayRef<Operation *> ops, bool accumulate = false) {
      OwningOpRef<KernelOp> part = cutter.makeKernel(ops, group, accumulate);
      Operation *root = &part->getBody().front().front();
      if (const KernelFamily *family = findFamily(root))
        partBytes = std::max(partBytes, family->getScratchBytes(root));
    };
    count({block.project, block.projectMask});
    if (depthwise)
      count({depthwise, block.depthwiseMask});
    if (expand)
      count({expand.getOperation()}, true);
    for (ChannelUpdate update :
         llvm::concat<const ChannelUpdate>(block.depthwiseUpdates, block.expandUpdates))
      count(getOps(update));
    scratchBytes += partBytes;
  }

  static SmallVector<Operation *> getOps(ChannelUpdate update) {
    SmallVector<Operation *> ops{update.gradient};
    if (update.scale)
      ops.push_back(update.scale);
    ops.push_back(update.update);
    return ops;
  }
};

class ChannelGroups {
public:
  ChannelGroups(const ChannelBlock &block, Block &body, FusedKernel &kernel)
      : block(block), kernel(kernel), cutter(block), plan(block, cutter),
        channels(block.getChannels()) {
    for (auto [index, value] : llvm::enumerate(body.getTerminator()->getOperands()))
      outputs[value] = kernel.getOutput(index);
  }

  LogicalResult emit() {
    kernel.setScratchBytes(plan.scratchBytes);
    if (Value result = block.getResult())
      emitStart(result);
    int64_t begin = 0;
    for (int64_t part : block.getProjectParts()) {
      int64_t whole = part / plan.size, rest = part % plan.size;
      if (whole && failed(emitGroups(begin, whole, plan.size)))
        return failure();
      if (rest && failed(emitGroups(begin + whole * plan.size, 1, rest)))
        return failure();
      begin += part;
    }
    return success();
  }

private:
  /// What the shares of the groups are added to.
  void emitStart(Value result) {
    int64_t bytes = bytesOf(result.getType());
    if (Value skip = block.getSkip())
      kernel.copy(kernel.getInput(skip), outputs.lookup(result), bytes, /*inWords=*/true);
    else
      kernel.fill(outputs.lookup(result), 0, bytes, /*inWords=*/true);
  }

  /// Emits `count` groups of `size` channels from `begin` on.
  LogicalResult emitGroups(int64_t begin, int64_t count, int64_t size) {
    this->begin = begin;
    this->size = size;
    Conv2DInputGradOp depthwise = block.depthwise, expand = block.expand;
    SmallVector<Step> steps;
    auto add = [&](ArrayRef<Operation *> ops, bool accumulate = false) {
      SmallVector<OwningOpRef<KernelOp>> cuts;
      for (int64_t i = 0; i < count; ++i)
        cuts.push_back(cutter.makeKernel(ops, {begin + i * size, size}, accumulate));
      FailureOr<FusedKernel::Part> part = kernel.addParts(
          llvm::map_to_vector(cuts, [](OwningOpRef<KernelOp> &cut) { return *cut; }));
      if (succeeded(part))
        steps.push_back({SmallVector<Operation *>(ops), *part, accumulate});
      return success(succeeded(part));
    };
    if (failed(add({block.project, block.projectMask})) ||
        (depthwise && failed(add({depthwise, block.depthwiseMask}))))
      return failure();
    for (const ChannelUpdate &update : block.depthwiseUpdates)
      if (failed(add(GroupPlan::getOps(update))))
        return failure();
    if (expand && failed(add({expand.getOperation()}, /*accumulate=*/true)))
      return failure();
    for (const ChannelUpdate &update : block.expandUpdates)
      if (failed(add(GroupPlan::getOps(update))))
        return failure();
    kernel.loop(0, count, 1, [&](Index group) {
      this->group = group;
      first = kernel.mul(group, size) + begin;
      for (auto [value, offset] : plan.gathered)
        move(value, kernel.getScratch(offset), /*isGather=*/true);
      for (const Step &step : steps)
        emitStep(step);
    });
    return success();
  }

  struct Step {
    SmallVector<Operation *> ops;
    FusedKernel::Part part;
    bool accumulate;
  };

  void emitStep(const Step &step) {
    SmallVector<Bytes> inputs = llvm::map_to_vector(cutter.getOperands(step.ops, {begin, size}),
                                                    [&](Value operand) { return locate(operand); });
    auto update = dyn_cast<SGDOp>(step.ops.back());
    Bytes output;
    if (step.accumulate) {
      output = outputs.lookup(block.getResult());
      inputs.push_back(output);
    } else {
      output = locate(update ? Value(update.getParameter()) : Value(step.ops.back()->getResult(0)));
    }
    kernel.call(step.part, inputs, kernel.getScratch(plan.partOffset), output, group);
    if (update && plan.gathered.contains(update.getParameter()))
      move(update.getParameter(), output, /*isGather=*/false);
  }

  /// Where what the group sees of a value lies.
  Bytes locate(Value value) {
    if (value == block.projectMask->getResult(0))
      return kernel.getScratch(plan.projectGradient);
    if (block.depthwiseMask && value == block.depthwiseMask->getResult(0))
      return kernel.getScratch(plan.depthwiseGradient);
    auto found = plan.gathered.find(value);
    if (found != plan.gathered.end())
      return kernel.getScratch(found->second);
    Bytes whole = kernel.getInput(value);
    if (auto [weight, channel] = cutter.getProjectPart(begin); value == weight)
      return kernel.add(whole, kernel.mul(first + -channel, typeOf(value).getDimSize(3)));
    bool isBias = typeOf(value).getRank() == 1 && cutter.cut(value, {0, 1}) != value.getType();
    return isBias ? kernel.add(whole, kernel.mul(first, sizeof(int32_t))) : whole;
  }

  /// Moves the channels of the group between a value, whose last axis they are, and its place in
  /// the scratch.
  void move(Value value, Bytes place, bool isGather) {
    int64_t unit = 1; // channels a byte
    for (Operation *mask : {block.projectMask, block.depthwiseMask})
      if (isa_and_nonnull<ApplyMaskOp>(mask) && value == getMaskSource(mask))
        unit = 8;
    int64_t row = channels / unit, bytes = size / unit;
    int64_t rows = bytesOf(value.getType()) / row;
    bool inWords = row % 4 == 0 && bytes % 4 == 0 && begin / unit % 4 == 0;
    // The new value of a parameter lies where the old one does.
    Bytes whole = kernel.add(kernel.getInput(value), unit == 1 ? first : kernel.floorDiv(first, 8));
    kernel.loop(0, rows, 1, [&](Index index) {
      Bytes far = kernel.add(whole, kernel.mul(index, row));
      Bytes near = kernel.add(place, kernel.mul(index, bytes));
      kernel.copy(isGather ? far : near, isGather ? near : far, bytes, inWords);
    });
  }

  const ChannelBlock &block;
  FusedKernel &kernel;
  GroupCutter cutter;
  GroupPlan plan;
  int64_t channels;
  DenseMap<Value, Bytes> outputs;
  int64_t begin = 0, size = 0;
  Index group, first; ///< number and first channel of the group that is being emitted
};

} // namespace

int64_t tte::getChannelGroupScratchBytes(const ChannelBlock &block) {
  return GroupPlan(block, GroupCutter(block)).scratchBytes;
}

LogicalResult tte::emitChannelGroups(const ChannelBlock &block, Block &body, FusedKernel &kernel) {
  return ChannelGroups(block, body, kernel).emit();
}
