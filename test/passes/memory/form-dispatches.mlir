// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-form-dispatches))' | FileCheck %s

ml_program.global private @"fc.weight"(dense<0.5> : tensor<4x2xf32>) : tensor<4x2xf32>

// CHECK-LABEL: @forward
func.func @forward(%x: tensor<1x1x1x4xf32>) -> (tensor<1x2xf32> {tte.role = #tte.role<scores>}) {
  // CHECK-NEXT: %[[FLAT:.*]] = tte.reshape
  // CHECK-NEXT: %[[W:.*]] = ml_program.global_load_const
  // CHECK-NEXT: tte.dispatch plain forward (%[[A:.*]] = %[[FLAT]] : tensor<1x4xf32>, %[[B:.*]] = %[[W]] : tensor<4x2xf32>) -> tensor<1x2xf32> {
  // CHECK-NEXT: %[[Y:.*]] = tte.dense %[[A]] weights(%[[B]])
  // CHECK-NEXT: tte.yield %[[Y]]
  %0 = tte.reshape %x : (tensor<1x1x1x4xf32>) -> tensor<1x4xf32>
  %1 = ml_program.global_load_const @"fc.weight" : tensor<4x2xf32>
  %2 = tte.dense %0 weights(%1) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %2 : tensor<1x2xf32>
}

// CHECK-LABEL: @train_step
func.func @train_step(%w: tensor<4x2xf32> {tte.state = @"fc.weight"}, %x: tensor<1x4xf32>, %label: tensor<1xi32>, %rate: tensor<f32>, %step: tensor<i32>)
    -> (tensor<4x2xf32> {tte.state = @"fc.weight"}, tensor<f32> {tte.role = #tte.role<loss>}) {
  // CHECK: plain forward
  // CHECK-NEXT: tte.dense
  // CHECK: plain forward
  // CHECK-NEXT: softmax_cross_entropy
  // CHECK: plain backward
  // CHECK-NEXT: softmax_cross_entropy_grad
  // CHECK: tte.check_finite
  // CHECK-NEXT: plain backward
  // CHECK-NEXT: dense_weight_grad
  // CHECK: plain update
  // CHECK-SAME: tied [0]
  // CHECK-NEXT: sgd
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  %1 = tte.softmax_cross_entropy %0, %label : (tensor<1x2xf32>, tensor<1xi32>) -> tensor<f32>
  %2 = tte.softmax_cross_entropy_grad %0, %label : (tensor<1x2xf32>, tensor<1xi32>) -> tensor<1x2xf32>
  %3:2 = tte.check_finite %1, %2 : (tensor<f32>, tensor<1x2xf32>) -> (tensor<f32>, tensor<1x2xf32>)
  %4 = tte.dense_weight_grad %x, %3#1 : (tensor<1x4xf32>, tensor<1x2xf32>) -> tensor<4x2xf32>
  %5 = tte.sgd %w, %4 rate %rate step %step nearest stream 0 : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2xf32>
  return %5, %3#0 : tensor<4x2xf32>, tensor<f32>
}

// What is in a dispatch stays there.
// CHECK-LABEL: @formed
func.func @formed(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-COUNT-1: tte.dispatch
  // CHECK-NOT: tte.dispatch
  %0 = tte.dispatch plain backward (%a = %x : tensor<4xf32>) -> tensor<4xf32> {
    %1 = tte.clamp %a <0.0, 6.0> : tensor<4xf32>
    tte.yield %1 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}
