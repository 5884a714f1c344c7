// RUN: tte-opt %s | tte-opt | FileCheck %s
// RUN: tte-opt %s --mlir-print-op-generic | tte-opt | FileCheck %s
// RUN: mlir-opt --load-dialect-plugin=%tte_plugin %s | FileCheck %s

// Losses, their gradients, and the gradients of a network's ops.

!x = !quant.uniform<i8:f32, 0.05:3>
!w = !quant.uniform<i8<-127:127>:f32:3, {0.1, 0.2, 0.3, 0.4}>

// CHECK-LABEL: func.func @losses(
func.func @losses(%scores: tensor<2x5xf32>, %labels: tensor<2xi32>) -> tensor<f32> {
  // CHECK: tte.one_hot %{{.*}} : (tensor<2xi32>) -> tensor<2x5xf32>
  %0 = tte.one_hot %labels : (tensor<2xi32>) -> tensor<2x5xf32>
  // CHECK: tte.mean_squared_error %{{.*}}, %{{.*}} : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<f32>
  %1 = tte.mean_squared_error %scores, %0 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<f32>
  // CHECK: tte.mean_squared_error_grad %{{.*}}, %{{.*}} : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>
  %2 = tte.mean_squared_error_grad %scores, %0 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>
  // CHECK: tte.softmax_cross_entropy %{{.*}}, %{{.*}} : (tensor<2x5xf32>, tensor<2xi32>) -> tensor<f32>
  %3 = tte.softmax_cross_entropy %scores, %labels : (tensor<2x5xf32>, tensor<2xi32>) -> tensor<f32>
  // CHECK: tte.softmax_cross_entropy_grad %{{.*}}, %{{.*}} : (tensor<2x5xf32>, tensor<2xi32>) -> tensor<2x5xf32>
  %4 = tte.softmax_cross_entropy_grad %scores, %labels : (tensor<2x5xf32>, tensor<2xi32>) -> tensor<2x5xf32>
  return %3 : tensor<f32>
}

// CHECK-LABEL: func.func @conv2d_gradients(
func.func @conv2d_gradients(%x: tensor<1x8x8x3x!x>, %w: tensor<3x3x3x4x!w>, %g: tensor<1x4x4x4xf32>) -> (tensor<1x8x8x3xf32>, tensor<3x3x2x4xf32>, tensor<4xf32>) {
  // CHECK: tte.conv2d_input_grad %{{.*}} weights(%{{.*}}) strides [2, 2] padding [1, 0, 1, 0] : (tensor<1x4x4x4xf32>, tensor<3x3x3x4x!weight>) -> tensor<1x8x8x3xf32>
  %0 = tte.conv2d_input_grad %g weights(%w) strides [2, 2] padding [1, 0, 1, 0]
    : (tensor<1x4x4x4xf32>, tensor<3x3x3x4x!w>) -> tensor<1x8x8x3xf32>
  // CHECK: tte.conv2d_weight_grad %{{.*}}, %{{.*}} strides [2, 2] padding [1, 0, 1, 0] offset 1 : (tensor<1x8x8x3x!activation>, tensor<1x4x4x4xf32>) -> tensor<3x3x2x4xf32>
  %1 = tte.conv2d_weight_grad %x, %g strides [2, 2] padding [1, 0, 1, 0] offset 1
    : (tensor<1x8x8x3x!x>, tensor<1x4x4x4xf32>) -> tensor<3x3x2x4xf32>
  // CHECK: tte.bias_grad %{{.*}} : (tensor<1x4x4x4xf32>) -> tensor<4xf32>
  %2 = tte.bias_grad %g : (tensor<1x4x4x4xf32>) -> tensor<4xf32>
  return %0, %1, %2 : tensor<1x8x8x3xf32>, tensor<3x3x2x4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @depthwise_gradients(
func.func @depthwise_gradients(%x: tensor<1x8x8x4xf32>, %w: tensor<3x3x1x4xf32>, %g: tensor<1x4x4x4xf32>) -> (tensor<1x8x8x4xf32>, tensor<3x3x1x2xf32>) {
  // CHECK: tte.conv2d_input_grad %{{.*}} weights(%{{.*}}) dilations [2, 2] groups 4 : (
  %0 = tte.conv2d_input_grad %g weights(%w) dilations [2, 2] groups 4
    : (tensor<1x4x4x4xf32>, tensor<3x3x1x4xf32>) -> tensor<1x8x8x4xf32>
  // CHECK: tte.conv2d_weight_grad %{{.*}}, %{{.*}} dilations [2, 2] groups 4 offset 2 : (tensor<1x8x8x4xf32>, tensor<1x4x4x4xf32>) -> tensor<3x3x1x2xf32>
  %1 = tte.conv2d_weight_grad %x, %g dilations [2, 2] groups 4 offset 2
    : (tensor<1x8x8x4xf32>, tensor<1x4x4x4xf32>) -> tensor<3x3x1x2xf32>
  return %0, %1 : tensor<1x8x8x4xf32>, tensor<3x3x1x2xf32>
}

// CHECK-LABEL: func.func @dense_gradients(
func.func @dense_gradients(%x: tensor<2x6xf32>, %w0: tensor<2x4xf32>, %w1: tensor<4x4xf32>, %g: tensor<2x4xf32>) -> (tensor<2x6xf32>, tensor<4x4xf32>) {
  // CHECK: tte.dense_input_grad %{{.*}} weights(%{{.*}}, %{{.*}}) : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x6xf32>
  %0 = tte.dense_input_grad %g weights(%w0, %w1) : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x6xf32>
  // CHECK: tte.dense_weight_grad %{{.*}}, %{{.*}} offset 2 : (tensor<2x6xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
  %1 = tte.dense_weight_grad %x, %g offset 2 : (tensor<2x6xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
  return %0, %1 : tensor<2x6xf32>, tensor<4x4xf32>
}

// CHECK-LABEL: func.func @pool_gradients(
func.func @pool_gradients(%x: tensor<1x8x8x4x!x>, %g: tensor<1x4x4x4xf32>) -> (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>) {
  // CHECK: tte.avg_pool2d_grad %{{.*}} kernel [2, 2] strides [2, 2] : (tensor<1x4x4x4xf32>) -> tensor<1x8x8x4xf32>
  %0 = tte.avg_pool2d_grad %g kernel [2, 2] strides [2, 2] : (tensor<1x4x4x4xf32>) -> tensor<1x8x8x4xf32>
  // CHECK: tte.max_pool2d_grad %{{.*}}, %{{.*}} kernel [3, 3] strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x8x8x4x!activation>, tensor<1x4x4x4xf32>) -> tensor<1x8x8x4xf32>
  %1 = tte.max_pool2d_grad %x, %g kernel [3, 3] strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x8x8x4x!x>, tensor<1x4x4x4xf32>) -> tensor<1x8x8x4xf32>
  return %0, %1 : tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>
}

// CHECK-LABEL: func.func @masks(
func.func @masks(%y: tensor<3x3x!x>, %g: tensor<3x3xf32>) -> (tensor<3x3xf32>, tensor<3x3xf32>) {
  // CHECK: tte.clamp_grad %{{.*}}, %{{.*}} <-128.0, 127.0> : (tensor<3x3xf32>, tensor<3x3x!activation>) -> tensor<3x3xf32>
  %0 = tte.clamp_grad %g, %y <-128.0, 127.0> : (tensor<3x3xf32>, tensor<3x3x!x>) -> tensor<3x3xf32>
  // CHECK: tte.clamp_mask %{{.*}} <-128.0, 127.0> : (tensor<3x3x!activation>) -> tensor<2xi8>
  %1 = tte.clamp_mask %y <-128.0, 127.0> : (tensor<3x3x!x>) -> tensor<2xi8>
  // CHECK: tte.apply_mask %{{.*}}, %{{.*}} : (tensor<3x3xf32>, tensor<2xi8>) -> tensor<3x3xf32>
  %2 = tte.apply_mask %g, %1 : (tensor<3x3xf32>, tensor<2xi8>) -> tensor<3x3xf32>
  return %0, %2 : tensor<3x3xf32>, tensor<3x3xf32>
}

// CHECK-LABEL: func.func @slice_gradient(
func.func @slice_gradient(%g: tensor<1x2x4x2xf32>) -> tensor<1x4x4x3xf32> {
  // CHECK: tte.slice_grad %{{.*}} offsets [0, 2, 0, 1] : (tensor<1x2x4x2xf32>) -> tensor<1x4x4x3xf32>
  %0 = tte.slice_grad %g offsets [0, 2, 0, 1] : (tensor<1x2x4x2xf32>) -> tensor<1x4x4x3xf32>
  return %0 : tensor<1x4x4x3xf32>
}
