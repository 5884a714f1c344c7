# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small network, trained whole, and its memory plan."""

from mlir import ir
from mlir.passmanager import PassManager

from tte_mlir.dialects import tte  # noqa: F401  (registers dialect and passes)

# A convolution with ReLU6, average pooling and a dense layer; every weight trains.
NETWORK = """
ml_program.global private @"conv.weight"(dense<0.5> : tensor<1x1x2x4xf32>)
  : tensor<1x1x2x4xf32> {tte.update = #tte.update<0, 2>}
ml_program.global private @"fc.weight"(dense<0.25> : tensor<4x3xf32>)
  : tensor<4x3xf32> {tte.update = #tte.update<0, 4>}
ml_program.global private @"fc.bias"(dense<0.0> : tensor<3xf32>) : tensor<3xf32>

func.func @forward(
    %w0: tensor<1x1x2x4xf32> {tte.state = @"conv.weight"},
    %w1: tensor<4x3xf32> {tte.state = @"fc.weight"},
    %x: tensor<1x4x4x2xf32> {tte.role = #tte.role<input>})
    -> (tensor<1x3xf32> {tte.role = #tte.role<scores>}) {
  %b = ml_program.global_load_const @"fc.bias" : tensor<3xf32>
  %0 = tte.conv2d %x weights(%w0) clamp <0.0, 6.0>
    : (tensor<1x4x4x2xf32>, tensor<1x1x2x4xf32>) -> tensor<1x4x4x4xf32> loc("conv")
  %1 = tte.avg_pool2d %0 kernel [4, 4]
    : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32> loc("pool")
  %2 = tte.reshape %1 : (tensor<1x1x1x4xf32>) -> tensor<1x4xf32> loc("flatten")
  %3 = tte.dense %2 weights(%w1) bias(%b)
    : (tensor<1x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<1x3xf32> loc("fc")
  return %3 : tensor<1x3xf32>
}

func.func @train_step(
    %w0: tensor<1x1x2x4xf32> {tte.state = @"conv.weight"},
    %w1: tensor<4x3xf32> {tte.state = @"fc.weight"},
    %x: tensor<1x4x4x2xf32> {tte.role = #tte.role<input>},
    %label: tensor<1xi32> {tte.role = #tte.role<label>},
    %rate: tensor<f32> {tte.role = #tte.role<learning_rate>},
    %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<1x1x2x4xf32> {tte.state = @"conv.weight"},
        tensor<4x3xf32> {tte.state = @"fc.weight"},
        tensor<f32> {tte.role = #tte.role<loss>},
        tensor<1x3xf32> {tte.role = #tte.role<scores>}) {
  %b = ml_program.global_load_const @"fc.bias" : tensor<3xf32>
  %0 = tte.conv2d %x weights(%w0) clamp <0.0, 6.0>
    : (tensor<1x4x4x2xf32>, tensor<1x1x2x4xf32>) -> tensor<1x4x4x4xf32> loc("conv")
  %1 = tte.avg_pool2d %0 kernel [4, 4]
    : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32> loc("pool")
  %2 = tte.reshape %1 : (tensor<1x1x1x4xf32>) -> tensor<1x4xf32> loc("flatten")
  %3 = tte.dense %2 weights(%w1) bias(%b)
    : (tensor<1x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<1x3xf32> loc("fc")
  %4 = tte.softmax_cross_entropy %3, %label
    : (tensor<1x3xf32>, tensor<1xi32>) -> tensor<f32> loc("loss")
  %5 = tte.softmax_cross_entropy_grad %3, %label
    : (tensor<1x3xf32>, tensor<1xi32>) -> tensor<1x3xf32> loc("loss")
  %6:2 = tte.check_finite %4, %5
    : (tensor<f32>, tensor<1x3xf32>) -> (tensor<f32>, tensor<1x3xf32>) loc("loss")
  %7 = tte.dense_weight_grad %2, %6#1
    : (tensor<1x4xf32>, tensor<1x3xf32>) -> tensor<4x3xf32> loc("fc")
  %8 = tte.sgd %w1, %7 rate %rate step %step nearest stream 1
    : (tensor<4x3xf32>, tensor<4x3xf32>, tensor<f32>, tensor<i32>) -> tensor<4x3xf32> loc("fc")
  %9 = tte.dense_input_grad %6#1 weights(%w1)
    : (tensor<1x3xf32>, tensor<4x3xf32>) -> tensor<1x4xf32> loc("fc")
  %10 = tte.reshape %9 : (tensor<1x4xf32>) -> tensor<1x1x1x4xf32> loc("flatten")
  %11 = tte.avg_pool2d_grad %10 kernel [4, 4]
    : (tensor<1x1x1x4xf32>) -> tensor<1x4x4x4xf32> loc("pool")
  %12 = tte.clamp_grad %11, %0 <0.0, 6.0>
    : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("conv")
  %13 = tte.conv2d_weight_grad %x, %12
    : (tensor<1x4x4x2xf32>, tensor<1x4x4x4xf32>) -> tensor<1x1x2x4xf32> loc("conv")
  %14 = tte.sgd %w0, %13 rate %rate step %step nearest stream 2
    : (tensor<1x1x2x4xf32>, tensor<1x1x2x4xf32>, tensor<f32>, tensor<i32>)
    -> tensor<1x1x2x4xf32> loc("conv")
  return %14, %8, %6#0, %3 : tensor<1x1x2x4xf32>, tensor<4x3xf32>, tensor<f32>, tensor<1x3xf32>
}
"""

FORM_DISPATCHES = "func.func(tte-fuse-update,tte-fuse-clamp-grad,tte-form-dispatches)"
PIPELINE = f"builtin.module({FORM_DISPATCHES},func.func(tte-schedule),tte-plan-memory)"


def parse(text: str) -> ir.Module:
    """The verified module of `text`, in a context of its own."""
    with ir.Context(), ir.Location.unknown():
        return ir.Module.parse(text)


def run_passes(text: str, pipeline: str = PIPELINE) -> ir.Module:
    """The module of `text` after the passes of `pipeline`."""
    module = parse(text)
    with module.context:
        PassManager.parse(pipeline).run(module.operation)
    return module


def plan(text: str = NETWORK, pipeline: str = PIPELINE) -> str:
    """The text of the planned program, locations included."""
    return run_passes(text, pipeline).operation.get_asm(enable_debug_info=True)
