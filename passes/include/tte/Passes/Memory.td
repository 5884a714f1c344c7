// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_MEMORY_TD
#define TTE_PASSES_MEMORY_TD

include "mlir/Pass/PassBase.td"

def FuseUpdate : Pass<"tte-fuse-update", "::mlir::func::FuncOp"> {
  let summary = "Form dispatches that update a parameter as its gradient is computed";
  let description = [{
    A weight gradient in f32 is four times the size of the weight. Where nothing
    but the update reads it, gradient, `tte.scale_gradient` and `tte.sgd` become
    one `tte.dispatch`, tied to the parameter, and the gradient never exists as
    a whole. Otherwise the scaling joins the update, or the update stands alone.

    ```mlir
    %0 = tte.dense_weight_grad %x, %g : (tensor<1x8xf32>, tensor<1x4xf32>) -> tensor<8x4xf32>
    %1 = tte.sgd %w, %0 rate %rate step %step nearest stream 0
      : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f32>, tensor<i32>) -> tensor<8x4xf32>
    ```

    becomes one `tte.dispatch plain update (...) -> tensor<8x4xf32> tied [2, ...]`.
  }];
}

def FuseClampGrad : Pass<"tte-fuse-clamp-grad", "::mlir::func::FuncOp"> {
  let summary = "Form dispatches that mask a gradient as it is written";
  let description = [{
    The gradient that reaches a clamped value is computed by an op that writes
    each element once (input gradients, accumulation, average pooling). Where
    only the `tte.clamp_grad` reads it, both become one `tte.dispatch`, and the
    unmasked gradient needs no memory.
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

#endif // TTE_PASSES_MEMORY_TD
