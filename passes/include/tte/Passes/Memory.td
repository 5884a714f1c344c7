// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_MEMORY_TD
#define TTE_PASSES_MEMORY_TD

include "mlir/Pass/PassBase.td"

def FuseInvertedBottleneck : Pass<"tte-fuse-inverted-bottleneck", "::mlir::func::FuncOp"> {
  let summary = "Form dispatches that run a frozen block row by row";
  let description = [{
    The tensors between expansion, depthwise convolution and projection are the
    widest of a network. Where nothing but the next layer reads them (nothing
    inside is saved for the backward pass), the layers become one dispatch of
    strategy `row_stream`: its kernel computes a row of the result at a time
    through windows of rows (the patch-based inference of
    MCUNetV2, with rows kept instead of recomputed), and the result may lie over
    the block's own input.

    Taken are a depthwise convolution with the convolution before it (an
    expansion, or the first layer of the network), the 1x1 convolution after it
    and the sum of that with the block's input, as far as they are there; and a
    convolution with the pool after it. All are quantized, of one image.

    `limit` keeps blocks apart that need no fusion: those whose layers each
    work in at most so many bytes of operands and results (0 fuses all).
  }];
  let options = [
    Option<"limit", "limit", "int64_t", "0",
           "Bytes that the layers of a block may take without fusion">
  ];
}

def FuseBackwardBlock : Pass<"tte-fuse-backward-block", "::mlir::func::FuncOp"> {
  let summary = "Form dispatches that compute the gradients of a block by groups of channels";
  let description = [{
    The gradients of what lies between expansion, depthwise convolution and
    projection are four times the widest tensors of a network. The input
    gradients of projection, depthwise convolution and expansion with the masks
    between them, the updates of the parameters of depthwise convolution and
    expansion, and the sum with the gradient of a skip connection become one
    dispatch of strategy `channel_group`: its kernel takes some expanded
    channels through all of them, adds their share to the gradient of the
    block's input, and updates their parameters when nothing reads the old
    values any more.

    `limit` keeps blocks apart that need no fusion: those whose two gradients of
    expanded channels take at most so many bytes (0 fuses all).
  }];
  let options = [
    Option<"limit", "limit", "int64_t", "0",
           "Bytes that the gradients of a block may take without fusion">
  ];
}

def FuseUpdate : Pass<"tte-fuse-update", "::mlir::func::FuncOp"> {
  let summary = "Form dispatches that update a parameter as its gradient is computed";
  let description = [{
    A weight gradient in f32 is four times the size of the weight. Where nothing
    but the update reads it, gradient, `tte.scale_gradient` and `tte.sgd` (with
    `tte.momentum` and `tte.sgd_residual` where they are) become
    one `tte.dispatch`, tied to the parameter and the other states, and the gradient
    never exists as a whole. Where a batch accumulates, gradient and `tte.accumulate`
    become one, and the update, which runs more rarely, another. Otherwise the scaling joins the update, or the update stands alone.

    One gradient stays apart: that of a weight whose layer has an input gradient
    that may lie over what both read (`getOverlap`). The update waits for all
    readers of the old weight, the input gradient among them; computed with the
    update, the weight gradient would need its operand longer than that. It is
    kept instead where it is the smaller of the two.

    ```mlir
    %0 = tte.dense_weight_grad %x, %g : (tensor<1x8xf32>, tensor<1x4xf32>) -> tensor<8x4xf32>
    %1 = tte.sgd %w, %0 rate %rate step %step nearest stream 0
      : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<i32>) -> tensor<8x4xf32>
    ```

    becomes one `tte.dispatch plain update (...) -> tensor<8x4xf32> tied [2, ...]`.
  }];
}

def PackMasks : Pass<"tte-pack-masks", "::mlir::func::FuncOp"> {
  let summary = "Keep packed bits of values that the backward pass needs for their mask alone";
  let description = [{
    `tte.clamp_grad` masks a gradient by the value that was clamped, which costs
    nothing while something else needs that value. Where nothing in the backward
    pass does (no weight gradient reads it, and it is no result), the value
    would live on for one bit an element: `tte.clamp_mask` packs the bits where
    the value is computed, `tte.apply_mask` takes them in the backward pass, and
    the value dies with its last reader in the forward pass. Eight elements
    become one byte, of i8 and f32 alike.

    ```mlir
    %y = tte.conv2d %x weights(%w) clamp <0.0, 6.0> : (…) -> tensor<1x8x8x16xf32>
    %masked = tte.clamp_grad %g, %y <0.0, 6.0> : (…) -> tensor<1x8x8x16xf32>
    ```

    becomes

    ```mlir
    %y = tte.conv2d %x weights(%w) clamp <0.0, 6.0> : (…) -> tensor<1x8x8x16xf32>
    %bits = tte.clamp_mask %y <0.0, 6.0> : (tensor<1x8x8x16xf32>) -> tensor<128xi8>
    %masked = tte.apply_mask %g, %bits : (tensor<1x8x8x16xf32>, tensor<128xi8>) -> tensor<1x8x8x16xf32>
    ```
  }];
}

def FuseClampGrad : Pass<"tte-fuse-clamp-grad", "::mlir::func::FuncOp"> {
  let summary = "Form dispatches that mask a gradient as it is written";
  let description = [{
    The gradient that reaches a clamped value is computed by an op that writes
    each element once (input gradients, accumulation, average pooling). Where
    only the `tte.clamp_grad` or `tte.apply_mask` reads it, both become one
    `tte.dispatch`, and the unmasked gradient needs no memory.
  }];
}

def FormDispatches : Pass<"tte-form-dispatches", "::mlir::func::FuncOp"> {
  let summary = "Put each op that is not in a dispatch yet into its own";
  let description = [{
    Afterwards every computation lies in a `tte.dispatch`. `tte.reshape` (the
    same bytes) and `tte.check_finite` (done by the runtime) stay outside, and
    so do loads of globals. An op is of the phase `update` if it updates a
    state, `forward` if a result other than an updated state needs it, and
    `backward` otherwise.
  }];
}

def Schedule : Pass<"tte-schedule", "::mlir::func::FuncOp"> {
  let summary = "Order dispatches so that as little as possible is live at once";
  let description = [{
    Looks for the order of least peak among all orders in which values exist
    before they are read and a state is overwritten after every reader of its
    old value (MCUNetV3, section 3.3, reorders updates likewise). The peak is the largest
    sum, over the dispatches, of the bytes in the arena that are live while it
    runs: its operands, its results and scratch included, state and constants
    not. Where a dispatch is the last to read an operand and its kernel may
    write the result over it (`getOverlap` in `tte/Passes/Overlap.h`), both
    count as the bytes from the lower begin to the higher end when they lie as
    close as that allows; of several such pairs one saves its bytes.

    The search is exact (binary search on the budget, memoised depth-first
    search over sets of executed dispatches) up to `search-limit` sets a budget;
    beyond, the best order found stands. The function gets

        tte.schedule = {lower_bound = 96, optimal = true, peak_live = 96}

    in bytes; `optimal` says that bound and peak meet.
  }];
  let options = [
    Option<"searchLimit", "search-limit", "uint64_t", "100000",
           "Sets of executed dispatches visited for one budget">
  ];
}

def PlanMemory : Pass<"tte-plan-memory", "::mlir::ModuleOp"> {
  let summary = "Give each value its bytes and turn dispatches into calls of kernels";
  let description = [{
    Functions lose their arguments and results and become lists of buffers
    (`tte.subspan`, `tte.flash`) and of `tte.call`s in the given order; regions
    of dispatches become `tte.kernel`s in the module `@kernels`, equal ones one.

    The state space is one for all functions: the step counter first, then the
    states in the order of the arguments. Arena: values that live at one time
    are disjoint, but for a result over an operand that dies where the traversal
    of the kernel allows the distance. The placement is searched for exactly
    (canonical placements from the bottom up, after MiniMalloc, ASPLOS 2023), as
    long as its effort lasts; then the best one found stands. The input lies at
    the same offset in every function; loss and scores stay to the end.

    What the caller must know stands on the buffers: `tte.role` and `tte.state`
    as on the arguments and results before, and `tte.tensor`, the type with its
    scales. `tte.value` numbers the values of the arena: buffers that show one
    value under several shapes share it. The module gets `tte.arena = {bytes,
    lower_bound, optimal}` and `tte.state_bytes`, each function its own
    `tte.arena`; all in bytes.
  }];
  let options = [
    Option<"arenaAlignment", "arena-alignment", "int64_t", "16",
           "Alignment of values in the arena, in bytes">,
    Option<"stateAlignment", "state-alignment", "int64_t", "16",
           "Alignment of values in the state, in bytes">
  ];
}

#endif // TTE_PASSES_MEMORY_TD
