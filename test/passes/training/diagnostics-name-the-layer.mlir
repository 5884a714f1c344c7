// RUN: not tte-opt %s --tte-quantize 2>&1 | FileCheck %s
// The location of a diagnostic is the path of the layer.

// CHECK: loc("features.3.conv"){{.*}}'tte.add' op has no calibrated range
func.func @forward(%x: tensor<4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<4xf32> {
  %0 = tte.add %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("features.3.conv")
  return %0 : tensor<4xf32>
}
