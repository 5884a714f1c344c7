// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-pack-masks))' | FileCheck %s

// Nothing but its mask needs the output of the convolution after the forward pass.

// CHECK-LABEL: @mask_alone
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x3x2xf32>, %[[V:.*]]: tensor<1x1x2x2xf32>, %[[W:.*]]: tensor<
func.func @mask_alone(%x: tensor<1x3x3x2xf32>, %v: tensor<1x1x2x2xf32>, %w: tensor<1x1x2x2xf32> {tte.state = @w})
    -> (tensor<1x1x2x2xf32> {tte.state = @w}, tensor<1x3x3x2xf32> {tte.role = #tte.role<scores>}) {
  // CHECK: %[[U:.*]] = tte.conv2d %[[X]] weights(%[[W]])
  // CHECK-NEXT: %[[BITS:.*]] = tte.clamp_mask %[[U]] <0.0, 6.0> : (tensor<1x3x3x2xf32>) -> tensor<3xi8>
  // CHECK-NEXT: %[[Y:.*]] = tte.conv2d %[[U]]
  // CHECK-NEXT: %[[G:.*]] = tte.conv2d_input_grad
  // CHECK-NEXT: %[[M:.*]] = tte.apply_mask %[[G]], %[[BITS]] : (tensor<1x3x3x2xf32>, tensor<3xi8>) -> tensor<1x3x3x2xf32>
  // CHECK-NEXT: tte.conv2d_weight_grad %[[X]], %[[M]]
  %u = tte.conv2d %x weights(%w) clamp <0.0, 6.0> : (tensor<1x3x3x2xf32>, tensor<1x1x2x2xf32>) -> tensor<1x3x3x2xf32>
  %y = tte.conv2d %u weights(%v) : (tensor<1x3x3x2xf32>, tensor<1x1x2x2xf32>) -> tensor<1x3x3x2xf32>
  %0 = tte.conv2d_input_grad %y weights(%v) : (tensor<1x3x3x2xf32>, tensor<1x1x2x2xf32>) -> tensor<1x3x3x2xf32>
  %1 = tte.clamp_grad %0, %u <0.0, 6.0> : (tensor<1x3x3x2xf32>, tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %2 = tte.conv2d_weight_grad %x, %1 : (tensor<1x3x3x2xf32>, tensor<1x3x3x2xf32>) -> tensor<1x1x2x2xf32>
  %3 = tte.clamp %2 <0.0, 6.0> : tensor<1x1x2x2xf32>
  return %3, %y : tensor<1x1x2x2xf32>, tensor<1x3x3x2xf32>
}

// A weight gradient reads the output, here through a view.

// CHECK-LABEL: @read_by_a_weight_gradient
func.func @read_by_a_weight_gradient(%x: tensor<1x1x1x4xf32>, %g: tensor<1x4xf32>, %w: tensor<4x4xf32> {tte.state = @w})
    -> (tensor<4x4xf32> {tte.state = @w}, tensor<1x4xf32> {tte.role = #tte.role<scores>}, tensor<1x1x1x4xf32> {tte.state = @v}) {
  // CHECK-NOT: tte.clamp_mask
  // CHECK: tte.clamp_grad
  %u = tte.clamp %x <0.0, 6.0> : tensor<1x1x1x4xf32>
  %f = tte.reshape %u : (tensor<1x1x1x4xf32>) -> tensor<1x4xf32>
  %y = tte.dense %f weights(%w) : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  %0 = tte.dense_weight_grad %f, %g : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<4x4xf32>
  %1 = tte.reshape %g : (tensor<1x4xf32>) -> tensor<1x1x1x4xf32>
  %2 = tte.clamp_grad %1, %u <0.0, 6.0> : (tensor<1x1x1x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
  return %0, %y, %2 : tensor<4x4xf32>, tensor<1x4xf32>, tensor<1x1x1x4xf32>
}

// The caller gets the output: it lives to the end anyway.

// CHECK-LABEL: @result
func.func @result(%x: tensor<4xf32>, %g: tensor<4xf32>) -> (tensor<4xf32> {tte.role = #tte.role<scores>}, tensor<4xf32> {tte.state = @v}) {
  // CHECK-NOT: tte.clamp_mask
  // CHECK: tte.clamp_grad
  %u = tte.clamp %x <0.0, 6.0> : tensor<4xf32>
  %0 = tte.clamp_grad %g, %u <0.0, 6.0> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %u, %0 : tensor<4xf32>, tensor<4xf32>
}
