// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-fuse-update))' | FileCheck %s

!activation = !quant.uniform<i8:f32, 0.5:3>
!weight = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

// CHECK-LABEL: @gradient_scale_update
// CHECK-SAME: (%[[W:.*]]: tensor<4x2x!weight>, %[[X:.*]]: tensor<1x4x!activation>, %[[G:.*]]: tensor<1x2xf32>
func.func @gradient_scale_update(%w: tensor<4x2x!weight>, %x: tensor<1x4x!activation>, %g: tensor<1x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<4x2x!weight> {
  // CHECK: %[[NEW:.*]] = tte.dispatch plain update ({{.*}} = %[[X]] : {{.*}} = %[[G]] : {{.*}} = %[[W]] : {{.*}} -> tensor<4x2x!weight> tied [2] {
  // CHECK-NEXT: dense_weight_grad
  // CHECK-NEXT: scale_gradient
  // CHECK-NEXT: %[[STEPPED:.*]] = tte.sgd
  // CHECK-NEXT: tte.yield %[[STEPPED]]
  // CHECK: return %[[NEW]]
  %0 = tte.dense_weight_grad %x, %g : (tensor<1x4x!activation>, tensor<1x2xf32>) -> tensor<4x2xf32>
  %1 = tte.scale_gradient %0 by scale of !weight to the -1 : tensor<4x2xf32>
  %2 = tte.sgd %w, %1 rate %rate step %step stochastic stream 7
    : (tensor<4x2x!weight>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2x!weight>
  return %2 : tensor<4x2x!weight>
}

// CHECK-LABEL: @real_bias
func.func @real_bias(%b: tensor<2xf32>, %g: tensor<1x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<2xf32> {
  // CHECK: tte.dispatch plain update {{.*}} tied [1]
  // CHECK-NEXT: bias_grad
  // CHECK-NEXT: sgd
  %0 = tte.bias_grad %g : (tensor<1x2xf32>) -> tensor<2xf32>
  %1 = tte.sgd %b, %0 rate %rate step %step nearest stream 7
    : (tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<i32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// The gradient has another reader: only the scaling joins the update.
// CHECK-LABEL: @shared_gradient
func.func @shared_gradient(%w: tensor<4x2x!weight>, %x: tensor<1x4x!activation>, %g: tensor<1x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<4x2x!weight>, tensor<4x2xf32>) {
  // CHECK-NEXT: %[[GRADIENT:.*]] = tte.dense_weight_grad
  // CHECK-NEXT: tte.dispatch plain update ({{.*}} = %[[GRADIENT]]
  // CHECK-NEXT: scale_gradient
  // CHECK-NEXT: sgd
  %0 = tte.dense_weight_grad %x, %g : (tensor<1x4x!activation>, tensor<1x2xf32>) -> tensor<4x2xf32>
  %1 = tte.scale_gradient %0 by scale of !weight to the -1 : tensor<4x2xf32>
  %2 = tte.sgd %w, %1 rate %rate step %step stochastic stream 7
    : (tensor<4x2x!weight>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2x!weight>
  return %2, %0 : tensor<4x2x!weight>, tensor<4x2xf32>
}

// A gradient that comes from elsewhere (here: checked) is read as it is.
// CHECK-LABEL: @foreign_gradient
func.func @foreign_gradient(%w: tensor<4xf32>, %g: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<4xf32> {
  // CHECK-NEXT: %[[CHECKED:.*]] = tte.check_finite
  // CHECK-NEXT: tte.dispatch plain update ({{.*}} = %{{.*}} : tensor<4xf32>, %{{.*}} = %[[CHECKED]] : tensor<4xf32>
  // CHECK-NEXT: sgd
  // CHECK-NEXT: yield
  %0 = tte.check_finite %g : (tensor<4xf32>) -> tensor<4xf32>
  %1 = tte.sgd %w, %0 rate %rate step %step nearest stream 7
    : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// The states of the optimizer move with the parameter, in one dispatch.
// CHECK-LABEL: @optimizer
func.func @optimizer(%w: tensor<4x2x!weight>, %low: tensor<4x2xi8>, %v: tensor<4x2xf32>, %x: tensor<1x4x!activation>, %g: tensor<1x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<4x2x!weight>, tensor<4x2xi8>, tensor<4x2xf32>) {
  // CHECK-NEXT: %[[NEW:.*]]:3 = tte.dispatch plain update ({{.*}}) -> (tensor<4x2xf32>, tensor<4x2xi8>, tensor<4x2x!weight>) tied [{{[0-9]+, [0-9]+, [0-9]+}}] {
  // CHECK-NEXT: dense_weight_grad
  // CHECK-NEXT: momentum
  // CHECK-NEXT: scale_gradient
  // CHECK-NEXT: sgd_residual
  // CHECK-NEXT: sgd
  // CHECK-NEXT: yield
  // CHECK: return %[[NEW]]#2, %[[NEW]]#1, %[[NEW]]#0
  %0 = tte.dense_weight_grad %x, %g : (tensor<1x4x!activation>, tensor<1x2xf32>) -> tensor<4x2xf32>
  %1 = tte.momentum %v, %0 factor 0.5 step %step : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<i32>) -> tensor<4x2xf32>
  %2 = tte.scale_gradient %1 by scale of !weight to the -1 : tensor<4x2xf32>
  %3 = tte.sgd_residual %w low %low bits 4, %2 rate %rate step %step
    : (tensor<4x2x!weight>, tensor<4x2xi8>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2xi8>
  %4 = tte.sgd %w, %2 rate %rate step %step residual stream 7 low %low bits 4
    : (tensor<4x2x!weight>, tensor<4x2xf32>, tensor<f32>, tensor<i32>, tensor<4x2xi8>) -> tensor<4x2x!weight>
  return %4, %3, %1 : tensor<4x2x!weight>, tensor<4x2xi8>, tensor<4x2xf32>
}

// What runs in every step and what ends a batch are two dispatches.
// CHECK-LABEL: @batch
func.func @batch(%w: tensor<4x2xf32>, %sum: tensor<4x2xf32>, %x: tensor<1x4x!activation>, %g: tensor<1x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<4x2xf32>, tensor<4x2xf32>) {
  // CHECK-NEXT: %[[SUM:.*]] = tte.dispatch plain update {{.*}} tied [{{[0-9]}}] {
  // CHECK-NEXT: dense_weight_grad
  // CHECK-NEXT: accumulate
  // CHECK-NEXT: yield
  // CHECK: tte.dispatch plain update ({{.*}} = %[[SUM]] {{.*}} tied [{{[0-9]}}] {
  // CHECK-NEXT: sgd
  // CHECK-NEXT: yield
  %0 = tte.dense_weight_grad %x, %g : (tensor<1x4x!activation>, tensor<1x2xf32>) -> tensor<4x2xf32>
  %1 = tte.accumulate %sum, %0 step %step batch 4 : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<i32>) -> tensor<4x2xf32>
  %2 = tte.sgd %w, %1 rate %rate step %step nearest stream 7 every 4
    : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2xf32>
  return %2, %1 : tensor<4x2xf32>, tensor<4x2xf32>
}

// The input gradient of a depthwise convolution may lie over the gradient of the output, once the
// weight gradient, which is smaller, has read that.
// CHECK-LABEL: @in_place
func.func @in_place(%w: tensor<3x3x1x2xf32>, %x: tensor<1x8x8x2xf32>, %g: tensor<1x8x8x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<3x3x1x2xf32>, tensor<1x8x8x2xf32>) {
  // CHECK: %[[GRADIENT:.*]] = tte.conv2d_weight_grad
  // CHECK-NEXT: tte.dispatch plain update ({{.*}} = %[[GRADIENT]]
  // CHECK-NEXT: sgd
  %0 = tte.conv2d_input_grad %g weights(%w) padding [1, 1, 1, 1] groups 2 : (tensor<1x8x8x2xf32>, tensor<3x3x1x2xf32>) -> tensor<1x8x8x2xf32>
  %1 = tte.conv2d_weight_grad %x, %g padding [1, 1, 1, 1] groups 2 : (tensor<1x8x8x2xf32>, tensor<1x8x8x2xf32>) -> tensor<3x3x1x2xf32>
  %2 = tte.sgd %w, %1 rate %rate step %step nearest stream 7
    : (tensor<3x3x1x2xf32>, tensor<3x3x1x2xf32>, tensor<f32>, tensor<i32>) -> tensor<3x3x1x2xf32>
  return %2, %0 : tensor<3x3x1x2xf32>, tensor<1x8x8x2xf32>
}
