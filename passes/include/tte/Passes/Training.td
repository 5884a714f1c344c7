// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_TRAINING_TD
#define TTE_PASSES_TRAINING_TD

include "mlir/Pass/PassBase.td"

def FuseClamp : Pass<"tte-fuse-clamp", "::mlir::func::FuncOp"> {
  let summary = "Fuse clamps (ReLU, ReLU6) into the ops that can clamp their own result";
  let description = [{
    A `tte.clamp` that alone reads the result of a convolution, a dense layer,
    an addition or another clamp becomes the `clamp` range of that op. The
    calibrated range of the clamp, if there is one, moves along: what counts is
    the range behind the clamp.

    ```mlir
    %0 = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %1 = tte.clamp %0 <0.0, 6.0> : tensor<4xf32>
    ```

    becomes

    ```mlir
    %0 = tte.add %a, %b clamp <0.0, 6.0> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}

def Quantize : Pass<"tte-quantize", "::mlir::ModuleOp"> {
  let summary = "From f32 and calibrated ranges to quantized types";
  let description = [{
    Turns `@forward` and its parameters from f32 to `!quant.uniform`. Ranges are
    the attributes `tte.range` of the function's arguments and of the ops that
    compute on a new scale (`tte.conv2d`, `tte.dense`, `tte.add`); the pass
    removes them. Run `tte-fuse-clamp` before.

    * Activations: i8 with scale (max - min) / 255 over the range extended to
      hold 0, and the zero point that puts 0 exactly on the grid. The scale is
      at least 2^-8 of the accumulator's (`tte.add`: of the coarser operand's).
    * Weights: i8<-127:127> with one scale per output channel, max |w| / 127. For
      dead channels, s_w >= |b| / (s_x * min(2^30, bound)) and s_w >= 2^-16 of the
      layer's largest; a channel of zeros has the layer's largest scale, a weight
      of zeros 1 / 127.
    * Biases: i32 with scale s_x * s_w; the storage range is +-bound with
      bound = 2^31 - 1 - 255 * 127 * K for K products an output, so that no input
      and no weight can overflow the accumulator.
    * Pooling, reshapes, slices, permutations and lone clamps keep the grid of
      their input; clamp ranges move onto the grid.
    * Results stay f32: a layer that leads to a result through reshapes alone
      scales its accumulator to f32; otherwise a `tte.dequantize` does.

    Values round half to even, and scales are those that the text of a type
    keeps (seven digits). A missing range and a parameter without a finite dense
    value are errors that name the layer.

    ```mlir
    ml_program.global private @"fc.weight"(dense<[[1.27], [-0.5]]> : tensor<2x1xf32>) : tensor<2x1xf32>
    func.func @forward(%x: tensor<1x2xf32> {tte.range = #tte.range<0.0, 2.55>}) -> tensor<1x1xf32> {
      %w = ml_program.global_load_const @"fc.weight" : tensor<2x1xf32>
      %0 = tte.dense %x weights(%w) : (tensor<1x2xf32>, tensor<2x1xf32>) -> tensor<1x1xf32>
      return %0 : tensor<1x1xf32>
    }
    ```

    becomes

    ```mlir
    !activation = !quant.uniform<i8:f32, 0.01:-128>
    !weight = !quant.uniform<i8<-127:127>:f32:1, {0.01}>
    ml_program.global private @"fc.weight"(dense<[[127], [-50]]> : tensor<2x1xi8>) : tensor<2x1x!weight>
    func.func @forward(%x: tensor<1x2x!activation>) -> tensor<1x1xf32> {
      %w = ml_program.global_load_const @"fc.weight" : tensor<2x1x!weight>
      %0 = tte.dense %x weights(%w) : (tensor<1x2x!activation>, tensor<2x1x!weight>) -> tensor<1x1xf32>
      return %0 : tensor<1x1xf32>
    }
    ```
  }];
  let dependentDialects = ["::tte::TTEDialect"];
}

def Autodiff : Pass<"tte-autodiff", "::mlir::ModuleOp"> {
  let summary = "Build the training step of a network";
  let description = [{
    From `@forward(input) -> scores` the pass makes, with state for the
    parameters (in the order of their globals, which keep the initial values),

        @forward(state..., input) -> scores
        @train_step(state..., input, labels, learning_rate, step) -> (state'..., loss, scores)

    Arguments and results carry `tte.state = @parameter` or `tte.role`. The step
    holds the forward pass, the loss and its gradient behind a
    `tte.check_finite`, the gradients in reverse order (GradientOpInterface;
    those of a value with several readers are added up), and a `tte.sgd` per
    parameter. For a parameter on a grid the gradient is scaled to that of the
    stored integers by `tte.scale_gradient ... to the 1`. A parameter that the
    loss does not depend on is returned as it is. Every parameter trains:
    `tte-prune-backward` leaves what shall.

    The rate of biases is multiplied by `bias-multiplier` (`times` in the IR).
    i8 parameters round as the option says, others to nearest. The stream of
    random numbers of a parameter is mix(fnv1a(name) ^ mix(seed)), with the 32-bit
    FNV-1a hash and the mixing function of `tte.sgd`.

    ```mlir
    ml_program.global private @"fc.weight"(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32>
    func.func @forward(%x: tensor<1x4xf32> {tte.role = #tte.role<input>}) -> tensor<1x2xf32> {
      %w = ml_program.global_load_const @"fc.weight" : tensor<4x2xf32>
      %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
      return %0 : tensor<1x2xf32>
    }
    ```

    gets a step whose body is (types left out)

    ```
    %0 = tte.dense %x weights(%w)
    %loss = tte.softmax_cross_entropy %0, %labels
    %1 = tte.softmax_cross_entropy_grad %0, %labels
    %2:2 = tte.check_finite %loss, %1
    %3 = tte.dense_weight_grad %x, %2#1
    %4 = tte.sgd %w, %3 rate %learning_rate step %step nearest stream 1201223937
    return %4, %2#0, %0
    ```
  }];
  let options = [
    Option<"loss", "loss", "::tte::Loss", "::tte::Loss::SoftmaxCrossEntropy",
           "Loss of the scores against the labels (mean squared error: against one-hot rows)",
           [{::llvm::cl::values(
               clEnumValN(::tte::Loss::SoftmaxCrossEntropy, "softmax_cross_entropy", ""),
               clEnumValN(::tte::Loss::MeanSquaredError, "mean_squared_error", ""))}]>,
    Option<"rounding", "rounding", "::tte::Rounding", "::tte::Rounding::stochastic",
           "How updates of i8 parameters round",
           [{::llvm::cl::values(
               clEnumValN(::tte::Rounding::stochastic, "stochastic", ""),
               clEnumValN(::tte::Rounding::nearest, "nearest", ""))}]>,
    Option<"biasMultiplier", "bias-multiplier", "float", "1.0f",
           "Learning rate of biases (parameters of one dimension), as a multiple of that of weights">,
    Option<"seed", "seed", "uint32_t", "0", "Seed of stochastic rounding">
  ];
  let dependentDialects = ["::mlir::func::FuncDialect", "::tte::TTEDialect"];
}

def PruneBackward : Pass<"tte-prune-backward", "::mlir::ModuleOp"> {
  let summary = "Leave in the training step only what the update scheme needs";
  let description = [{
    A parameter whose `ml_program.global` carries `tte.update` trains, as a whole
    or, for weights that may be given in parts, in a range of channels. In both
    `@forward` and `@train_step`

    * other parameters are no state any more but constants read by
      `ml_program.global_load_const`;
    * the state of a range is the range alone. Its global keeps the range of the
      initial value, and `@name.before` and `@name.after` hold the frozen rest,
      which the readers take as further parts of their weight. The update gets
      the `origin` of the range in the full parameter.

    Patterns turn the slice of a weight gradient into the gradient of those
    channels. Gradients that no update needs are pure and go, so the backward
    pass ends at the first layer that trains. Where the backward pass reads of an
    activation, or of the network's input, only channels for weight gradients (and
    the bits of one mask), these are sliced off in the forward pass, if that keeps
    less; a depthwise weight gradient then takes a slice of its gradient as well.

    A parameter may be a part of another or have its channels in another order
    (passes of Python, permute_channels and split_parameters, before this one). Its global
    says so: `tte.part_of` names the original, `tte.origin` gives its shape and the
    offset in it, and `tte.places`, an array with a list for each dimension, the
    element of the original that each element came from (an empty list: offset + i).
    The update gets `origin` and `tte.places` of what it trains, so that the random
    numbers of stochastic rounding are those of the original elements.

    A range beyond the parameter, a range of a parameter that its readers need
    whole (biases, grouped convolutions), and a mark on what is no parameter or
    does not reach the loss are errors.

    ```mlir
    ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.update = #tte.update<1, 2>}
    ```

    with `%0 = tte.dense %x weights(%w)` becomes, types left out,

    ```
    func.func @train_step(%w: tensor<2x2xf32> {tte.state = @w}, ...) {
      %before = ml_program.global_load_const @w.before : tensor<1x2xf32>
      %after = ml_program.global_load_const @w.after : tensor<1x2xf32>
      %0 = tte.dense %x weights(%before, %w, %after)
      ...
      %3 = tte.dense_weight_grad %x, %2 offset 1
      %4 = tte.sgd %w, %3 ... origin <[4, 2], [1, 0]>
    ```
  }];
  let dependentDialects = ["::mlir::ml_program::MLProgramDialect", "::tte::TTEDialect"];
}

def QAS : Pass<"tte-qas", "::mlir::func::FuncOp"> {
  let summary = "Quantization-aware scaling of the gradients of quantized parameters";
  let description = [{
    A parameter quantized with scale s has the gradient s * G in its integer
    grid, much smaller in proportion than the parameter itself. Quantization-aware
    scaling (MCUNetV3, section 2.2) multiplies it by s^-2, so that the step in
    the grid is lr * G / s, the step of real-valued SGD.

    The pass puts `tte.scale_gradient ... to the -2` before each update of a
    quantized parameter; folding merges it with the power 1 that is there.
  }];
}

def Accumulate : Pass<"tte-accumulate", "::mlir::ModuleOp"> {
  let summary = "Average the gradients of several steps before each update";
  let description = [{
    With `batch` N above 1, each parameter that trains gets a state @parameter.gradient (f32, one a
    trained element), in which N steps accumulate the mean of their gradients; the parameter
    changes in the last of them. A failed step leaves the accumulators as they were. Run it after
    `tte-prune-backward`: what is frozen needs no accumulator.

    ```mlir
    %1 = tte.sgd %w, %0 rate %rate step %step nearest stream 7
    ```

    becomes, types left out,

    ```
    %1 = tte.accumulate %sum, %0 step %step batch 4
    %2 = tte.sgd %w, %1 rate %rate step %step nearest stream 7 every 4
    ```

    and the step takes %sum and returns %1 for it.
  }];
  let options = [Option<"batch", "batch", "int64_t", "1", "Steps for one update">];
  let dependentDialects = ["::mlir::ml_program::MLProgramDialect", "::tte::TTEDialect"];
}

def Momentum : Pass<"tte-momentum", "::mlir::ModuleOp"> {
  let summary = "Descend along a decaying sum of gradients";
  let description = [{
    Each parameter that trains gets a state @parameter.velocity (f32, one a trained element) and
    descends along `tte.momentum` of it and the gradient of the real-valued parameter, before any
    scaling. Run it after `tte-prune-backward`, and after `tte-accumulate` where both are wanted.

    ```mlir
    %1 = tte.sgd %w, %0 rate %rate step %step nearest stream 7
    ```

    becomes, types left out,

    ```
    %1 = tte.momentum %velocity, %0 factor 0.9 step %step
    %2 = tte.sgd %w, %1 rate %rate step %step nearest stream 7
    ```

    and the step takes %velocity and returns %1 for it.
  }];
  let options = [Option<"factor", "factor", "float", "0.9f", "What a step leaves of the sum">];
  let dependentDialects = ["::mlir::ml_program::MLProgramDialect", "::tte::TTEDialect"];
}

def Residual : Pass<"tte-residual", "::mlir::ModuleOp"> {
  let summary = "Keep low bits of trained i8 parameters that the stored number has no room for";
  let description = [{
    Each i8 parameter that trains gets a state @parameter.residual (i8, one byte a trained element
    whatever `bits`), and its `tte.sgd` rounds `residual`. Run it last of the passes that change
    updates: `tte.sgd_residual` reads what `tte.sgd` reads.

    ```mlir
    %1 = tte.sgd %w, %0 rate %rate step %step stochastic stream 7
    ```

    becomes, types left out,

    ```
    %1 = tte.sgd_residual %w low %low bits 4, %0 rate %rate step %step
    %2 = tte.sgd %w, %0 rate %rate step %step residual stream 7 low %low bits 4
    ```

    and the step takes %low and returns %1 for it.
  }];
  let options = [Option<"bits", "bits", "int64_t", "8", "Low bits kept, 2 to 8">];
  let dependentDialects = ["::mlir::ml_program::MLProgramDialect", "::tte::TTEDialect"];
}

#endif // TTE_PASSES_TRAINING_TD
