// RUN: tte-opt %s --tte-quantize | FileCheck %s
// The layer that leads to the result through reshapes scales its accumulator to f32, needs no
// range and keeps its clamp in real numbers.

ml_program.global private @weight(dense<1.0> : tensor<1x1x2x3xf32>) : tensor<1x1x2x3xf32>

func.func @forward(%x: tensor<1x1x1x2xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x3xf32> {
  %w = ml_program.global_load_const @weight : tensor<1x1x2x3xf32>
  // CHECK: tte.conv2d {{.*}} clamp <0.0, inf> : {{.*}} -> tensor<1x1x1x3xf32>
  %0 = tte.conv2d %x weights(%w) clamp <0.0, inf> {tte.range = #tte.range<0.0, 2.0>} : (tensor<1x1x1x2xf32>, tensor<1x1x2x3xf32>) -> tensor<1x1x1x3xf32>
  // CHECK: tte.reshape {{.*}} : (tensor<1x1x1x3xf32>) -> tensor<1x3xf32>
  // CHECK-NOT: tte.dequantize
  %1 = tte.reshape %0 : (tensor<1x1x1x3xf32>) -> tensor<1x3xf32>
  return %1 : tensor<1x3xf32>
}
