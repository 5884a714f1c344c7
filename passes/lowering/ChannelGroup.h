// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of the strategy channel_group: the plain kernels of the gradients, called group by group.
#ifndef TTE_LOWERING_CHANNELGROUP_H
#define TTE_LOWERING_CHANNELGROUP_H

#include "ChannelBlock.h"
#include "FusedKernel.h"

namespace tte {

/// Bytes of scratch for a block: the gradients of a group, what it reads of saved values and
/// weights, and what the kernels of the gradients work in.
int64_t getChannelGroupScratchBytes(const ChannelBlock &block);

/// Emits a loop over groups of channels. In each, the gradients of the group are computed through
/// the depthwise convolution, the result takes their share, and then, when nothing reads the old
/// values any more, the parameters of the group are updated.
llvm::LogicalResult emitChannelGroups(const ChannelBlock &block, mlir::Block &body,
                                      FusedKernel &kernel);

} // namespace tte

#endif // TTE_LOWERING_CHANNELGROUP_H
