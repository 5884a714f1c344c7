// RUN: tte-opt %s --tte-quantize | FileCheck %s
// Pooling, slices, permutations and reshapes keep the grid of their input; their ranges do not count.

// CHECK-LABEL: func.func @forward
// CHECK-SAME: tensor<1x4x4x2x!activation>
func.func @forward(%x: tensor<1x4x4x2xf32> {tte.range = #tte.range<0.0, 2.55>}) -> tensor<1x4xf32> {
  // CHECK: tte.max_pool2d {{.*}} -> tensor<1x2x2x2x!activation>
  %0 = tte.max_pool2d %x kernel [2, 2] strides [2, 2] {tte.range = #tte.range<0.0, 1.0>} : (tensor<1x4x4x2xf32>) -> tensor<1x2x2x2xf32>
  // CHECK-NOT: tte.range
  // CHECK: tte.permute {{.*}} -> tensor<1x2x2x2x!activation>
  %1 = tte.permute %0 [0, 3, 1, 2] : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  // CHECK: tte.slice {{.*}} -> tensor<1x1x2x2x!activation>
  %2 = tte.slice %1 offsets [0, 1, 0, 0] : (tensor<1x2x2x2xf32>) -> tensor<1x1x2x2xf32>
  // CHECK: %[[FLAT:.*]] = tte.reshape {{.*}} -> tensor<1x4x!activation>
  %3 = tte.reshape %2 : (tensor<1x1x2x2xf32>) -> tensor<1x4xf32>
  // CHECK: tte.dequantize %[[FLAT]]
  return %3 : tensor<1x4xf32>
}
