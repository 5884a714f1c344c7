// RUN: tte-opt %s --tte-quantize | FileCheck %s
// Clamp ranges move onto the grid of the result: 0 is exact, what the grid cannot hold saturates.

ml_program.global private @depthwise(dense<0.5> : tensor<1x1x1x2xf32>) : tensor<1x1x1x2xf32>

func.func @forward(%x: tensor<1x2x2x2xf32> {tte.range = #tte.range<-1.0, 1.0>}) -> tensor<1x2x2x2xf32> {
  %w = ml_program.global_load_const @depthwise : tensor<1x1x1x2xf32>
  // The calibrated range ends below 6: the clamp is the end of the grid.
  // CHECK: tte.conv2d {{.*}} groups 2 clamp <-128.0, 127.0> :
  %0 = tte.conv2d %x weights(%w) groups 2 clamp <0.0, 6.0> {tte.range = #tte.range<0.0, 4.0>}
    : (tensor<1x2x2x2xf32>, tensor<1x1x1x2xf32>) -> tensor<1x2x2x2xf32>
  // Scale 0.04, zero point -28: 0 -> -28, 6 -> 122.
  // CHECK: tte.add {{.*}} clamp <-28.0, 122.0> :
  %1 = tte.add %0, %0 clamp <0.0, 6.0> {tte.range = #tte.range<-4.0, 6.2>}
    : (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  // A clamp of its own keeps the grid: 2.02 / 0.04 = 50.5 -> 50.
  // CHECK: %[[CLAMP:.*]] = tte.clamp %{{.*}} <-28.0, 22.0> : tensor<1x2x2x2x![[GRID:.*]]>
  %2 = tte.clamp %1 <0.0, 2.02> : tensor<1x2x2x2xf32>
  // CHECK: tte.dequantize %[[CLAMP]] : (tensor<1x2x2x2x![[GRID]]>)
  return %2 : tensor<1x2x2x2xf32>
}
