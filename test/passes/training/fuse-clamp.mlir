// RUN: tte-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(tte-fuse-clamp))' | FileCheck %s

// A clamp joins the op before it, and the range calibrated behind the clamp counts.
// CHECK-LABEL: @relu6_after_conv
func.func @relu6_after_conv(%x: tensor<1x4x4x2xf32>, %w: tensor<1x1x2x3xf32>) -> tensor<1x4x4x3xf32> {
  // CHECK: %[[CONV:.*]] = tte.conv2d %{{.*}} clamp <0.0, 6.0> {tte.range = #tte.range<0.0, 4.5>}
  // CHECK-NEXT: return %[[CONV]]
  %0 = tte.conv2d %x weights(%w) {tte.range = #tte.range<-3.0, 4.5>}
    : (tensor<1x4x4x2xf32>, tensor<1x1x2x3xf32>) -> tensor<1x4x4x3xf32>
  %1 = tte.clamp %0 <0.0, 6.0> {tte.range = #tte.range<0.0, 4.5>} : tensor<1x4x4x3xf32>
  return %1 : tensor<1x4x4x3xf32>
}

// -----

// CHECK-LABEL: @relu_after_dense
func.func @relu_after_dense(%x: tensor<1x4xf32>, %w: tensor<4x2xf32>) -> tensor<1x2xf32> {
  // CHECK: tte.dense %{{.*}} clamp <0.0, inf> :
  // CHECK-NOT: tte.clamp
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  %1 = tte.clamp %0 <0.0, inf> : tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// -----

// Clamps in a row clamp in their order; a range calibrated before them is clamped too.
// CHECK-LABEL: @two_after_add
func.func @two_after_add(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: tte.add %{{.*}} clamp <-1.0, 6.0> {tte.range = #tte.range<-1.0, 5.0>}
  // CHECK-NOT: tte.clamp
  %0 = tte.add %x, %y {tte.range = #tte.range<-3.0, 5.0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = tte.clamp %0 <-2.0, 6.0> : tensor<4xf32>
  %2 = tte.clamp %1 <-1.0, 7.0> : tensor<4xf32>
  return %2 : tensor<4xf32>
}

// -----

// The unclamped value is read elsewhere.
// CHECK-LABEL: @used_elsewhere
func.func @used_elsewhere(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK: tte.add %{{[^ ]*}}, %{{[^ ]*}} :
  // CHECK: tte.clamp
  %0 = tte.add %x, %y : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = tte.clamp %0 <0.0, inf> : tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Pooling cannot clamp.
// CHECK-LABEL: @after_pool
func.func @after_pool(%x: tensor<1x2x2x1xf32>) -> tensor<1x1x1x1xf32> {
  // CHECK: tte.max_pool2d
  // CHECK-NEXT: tte.clamp
  %0 = tte.max_pool2d %x kernel [2, 2] : (tensor<1x2x2x1xf32>) -> tensor<1x1x1x1xf32>
  %1 = tte.clamp %0 <0.0, inf> : tensor<1x1x1x1xf32>
  return %1 : tensor<1x1x1x1xf32>
}
