// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-fuse-clamp-grad))' | FileCheck %s

// CHECK-LABEL: @input_gradient
// CHECK-SAME: (%[[G:.*]]: tensor<1x2xf32>, %[[W:.*]]: tensor<4x2xf32>, %[[Y:.*]]: tensor<1x4xf32>)
func.func @input_gradient(%g: tensor<1x2xf32>, %w: tensor<4x2xf32>, %y: tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK-NEXT: tte.dispatch plain backward ({{.*}} = %[[G]] : {{.*}} = %[[W]] : {{.*}} = %[[Y]] : tensor<1x4xf32>) -> tensor<1x4xf32> {
  // CHECK-NEXT: %[[GRADIENT:.*]] = tte.dense_input_grad
  // CHECK-NEXT: tte.clamp_grad %[[GRADIENT]]
  // CHECK-NEXT: yield
  %0 = tte.dense_input_grad %g weights(%w) : (tensor<1x2xf32>, tensor<4x2xf32>) -> tensor<1x4xf32>
  %1 = tte.clamp_grad %0, %y <0.0, 6.0> : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// CHECK-LABEL: @accumulation
func.func @accumulation(%a: tensor<4xf32>, %b: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-NEXT: tte.dispatch plain backward
  // CHECK-NEXT: tte.add
  // CHECK-NEXT: tte.clamp_grad
  %0 = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = tte.clamp_grad %0, %y <0.0, inf> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: @packed_mask
func.func @packed_mask(%a: tensor<4xf32>, %b: tensor<4xf32>, %bits: tensor<1xi8>) -> tensor<4xf32> {
  // CHECK-NEXT: tte.dispatch plain backward
  // CHECK-NEXT: tte.add
  // CHECK-NEXT: tte.apply_mask
  %0 = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = tte.apply_mask %0, %bits : (tensor<4xf32>, tensor<1xi8>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// The unmasked gradient has another reader.
// CHECK-LABEL: @shared
func.func @shared(%a: tensor<4xf32>, %b: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK-NOT: tte.dispatch
  %0 = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = tte.clamp_grad %0, %y <0.0, inf> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// Max pooling adds into its result: an element is not final when it is written.
// CHECK-LABEL: @scattered
func.func @scattered(%x: tensor<1x2x2x1xf32>, %g: tensor<1x1x1x1xf32>) -> tensor<1x2x2x1xf32> {
  // CHECK-NOT: tte.dispatch
  %0 = tte.max_pool2d_grad %x, %g kernel [2, 2] : (tensor<1x2x2x1xf32>, tensor<1x1x1x1xf32>) -> tensor<1x2x2x1xf32>
  %1 = tte.clamp_grad %0, %x <0.0, inf> : (tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  return %1 : tensor<1x2x2x1xf32>
}
