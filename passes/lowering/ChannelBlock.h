// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Input gradients of a block that run together by groups of its expanded channels: what belongs to
// the block, its groups, and the scratch. Knows nothing of the code that computes a group.
#ifndef TTE_LOWERING_CHANNELBLOCK_H
#define TTE_LOWERING_CHANNELBLOCK_H

#include "tte/IR/TTEOps.h"
#include "tte/Passes/Overlap.h"

namespace tte {

/// A parameter that is updated from a gradient of expanded channels.
struct ChannelUpdate {
  mlir::Operation *gradient; ///< bias_grad or conv2d_weight_grad
  ScaleGradientOp scale;     ///< or null
  SGDOp update;
};

/// project: the input gradient of a 1x1 convolution and its mask; depthwise: that of the depthwise
/// convolution before it and its mask, null where nothing needs it; expand: that of the 1x1
/// convolution before that, the sum over all groups, null where nothing needs it; and the updates
/// of the parameters of the depthwise convolution and of the expansion.
struct ChannelBlock {
  Conv2DInputGradOp project, depthwise, expand;
  mlir::Operation *projectMask = nullptr, *depthwiseMask = nullptr;
  AddOp skip; ///< of the result of `expand` and another gradient, or null
  llvm::SmallVector<ChannelUpdate> depthwiseUpdates, expandUpdates;

  /// The block of `ops`, all of them, in program order; none where they are not one.
  static std::optional<ChannelBlock> get(llvm::ArrayRef<mlir::Operation *> ops);
  static std::optional<ChannelBlock> get(mlir::Region &region);
  /// The ops that make a block with the input gradient of the projection; empty where there is
  /// none.
  static llvm::SmallVector<mlir::Operation *> collect(Conv2DInputGradOp project);

  int64_t getChannels() const;
  /// Channels of a group: as many as their gradients fit into a few KiB, a multiple of 8.
  int64_t getGroup() const;
  /// Channels of the parts of the projection's weight, one after the other.
  llvm::SmallVector<int64_t> getProjectParts() const;
  /// What is added to the result of the block; null where nothing is.
  mlir::Value getSkip() const;
  mlir::Value getResult() const;
};

} // namespace tte

#endif // TTE_LOWERING_CHANNELBLOCK_H
