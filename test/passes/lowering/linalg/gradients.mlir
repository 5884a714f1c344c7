// RUN: tte-opt %s --tte-lower-to-linalg --canonicalize --cse | FileCheck %s

!x = !quant.uniform<i8:f32, 0.5:-7>
!w = !quant.uniform<i8<-127:127>:f32:3, {0.5, 0.25}>

// A convolution of the gradient, spread by the stride, with the turned kernel of real weights.
// CHECK-LABEL: func.func @conv2d_input_grad
// CHECK-SAME: (%[[G:.*]]: tensor<1x2x2x2xf32>, %[[W:.*]]: tensor<3x3x3x2xi8>)
// CHECK-DAG: arith.constant dense<[5.000000e-01, 2.500000e-01]> : tensor<2xf32>
// CHECK: tensor.extract
// CHECK: tensor.pad %{{.*}} low[0, 0, 0, 0, 0, 0, 0, 0] high[0, 0, 0, 1, 0, 1, 0, 0]
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0] [1, 3, 3, 2]
// CHECK: tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 2, 2, 0]
// CHECK: linalg.generic {{.*}}"parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
// CHECK: arith.mulf
// CHECK-NEXT: arith.addf
func.func @conv2d_input_grad(%g: tensor<1x2x2x2xf32>, %w: tensor<3x3x3x2x!w>) -> tensor<1x4x4x3xf32> {
  %0 = tte.conv2d_input_grad %g weights(%w) strides [2, 2] padding [1, 1, 1, 1]
    : (tensor<1x2x2x2xf32>, tensor<3x3x3x2x!w>) -> tensor<1x4x4x3xf32>
  return %0 : tensor<1x4x4x3xf32>
}

// Padding beyond what a kernel reaches cuts gradients off.
// CHECK-LABEL: func.func @wide_padding
// CHECK: tensor.extract_slice %{{.*}}[0, 2, 1, 0] [1, 3, 3, 1]
// CHECK-NOT: tensor.pad
// CHECK: return
func.func @wide_padding(%g: tensor<1x6x5x1xf32>, %w: tensor<1x1x1x1xf32>) -> tensor<1x3x3x1xf32> {
  %0 = tte.conv2d_input_grad %g weights(%w) padding [2, 1, 1, 1]
    : (tensor<1x6x5x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x3x3x1xf32>
  return %0 : tensor<1x3x3x1xf32>
}

// Only the range of channels is read; the scale of the input multiplies last.
// CHECK-LABEL: func.func @conv2d_weight_grad
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 1] [1, 4, 4, 2] {{.*}} : tensor<1x4x4x3xi8>
// CHECK: arith.sitofp
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<3x3x2x2xf32>)
// CHECK: arith.mulf
func.func @conv2d_weight_grad(%x: tensor<1x4x4x3x!x>, %g: tensor<1x2x2x2xf32>) -> tensor<3x3x2x2xf32> {
  %0 = tte.conv2d_weight_grad %x, %g strides [2, 2] padding [1, 1, 1, 1] offset 1
    : (tensor<1x4x4x3x!x>, tensor<1x2x2x2xf32>) -> tensor<3x3x2x2xf32>
  return %0 : tensor<3x3x2x2xf32>
}

// The first maximum of each window, then who won it.
// CHECK-LABEL: func.func @max_pool2d_grad
// CHECK: arith.maxsi
// CHECK: arith.minsi
// CHECK: arith.cmpi eq
// CHECK: arith.select
// CHECK: arith.addf
func.func @max_pool2d_grad(%x: tensor<1x4x4x3x!x>, %g: tensor<1x2x2x3xf32>) -> tensor<1x4x4x3xf32> {
  %0 = tte.max_pool2d_grad %x, %g kernel [2, 2] strides [2, 2]
    : (tensor<1x4x4x3x!x>, tensor<1x2x2x3xf32>) -> tensor<1x4x4x3xf32>
  return %0 : tensor<1x4x4x3xf32>
}

// 9 elements are 2 bytes of bits.
// CHECK-LABEL: func.func @masks
// CHECK: tensor.pad %{{.*}} low[0] high[7]
// CHECK: arith.shli
// CHECK-NEXT: arith.ori
// CHECK: arith.shrui
// CHECK: tensor.extract_slice %{{.*}}[0] [9] [1] : tensor<16xf32> to tensor<9xf32>
func.func @masks(%x: tensor<9x!x>, %g: tensor<9xf32>) -> tensor<9xf32> {
  %0 = tte.clamp_mask %x <-100.0, 100.0> : (tensor<9x!x>) -> tensor<2xi8>
  %1 = tte.apply_mask %g, %0 : (tensor<9xf32>, tensor<2xi8>) -> tensor<9xf32>
  return %1 : tensor<9xf32>
}
