// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-fuse-inverted-bottleneck))' | FileCheck %s
// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-fuse-inverted-bottleneck{limit=400}))' | FileCheck %s --check-prefix=LIMIT

!x = !quant.uniform<i8:f32, 0.05:-5>
!w4 = !quant.uniform<i8<-127:127>:f32:3, {0.01, 0.02, 0.03, 0.04}>
!w2 = !quant.uniform<i8<-127:127>:f32:3, {0.01, 0.02}>

// Expansion, depthwise convolution, projection and sum.
// CHECK-LABEL: @block
// CHECK-SAME: (%[[X:.*]]: tensor<1x8x8x2x!{{.*}}>, %[[E:[^:]*]]: {{.*}}, %[[D:[^:]*]]: {{.*}}, %[[P:[^:]*]]: {{.*}})
// LIMIT-LABEL: @block
func.func @block(%x: tensor<1x8x8x2x!x>, %e: tensor<1x1x2x4x!w4>, %d: tensor<3x3x1x4x!w4>, %p: tensor<1x1x4x2x!w2>) -> tensor<1x8x8x2x!x> {
  // CHECK-NEXT: tte.dispatch row_stream forward ({{.*}} = %[[X]] : {{.*}}, {{.*}} = %[[E]] : {{.*}}, {{.*}} = %[[D]] : {{.*}}, {{.*}} = %[[P]] : {{.*}})
  // CHECK-NEXT: %[[EXPANDED:.*]] = tte.conv2d
  // CHECK-NEXT: %[[FILTERED:.*]] = tte.conv2d %[[EXPANDED]]
  // CHECK-NEXT: %[[PROJECTED:.*]] = tte.conv2d %[[FILTERED]]
  // CHECK-NEXT: tte.add %[[PROJECTED]]
  // CHECK-NEXT: tte.yield
  // LIMIT: tte.dispatch row_stream
  %0 = tte.conv2d %x weights(%e) : (tensor<1x8x8x2x!x>, tensor<1x1x2x4x!w4>) -> tensor<1x8x8x4x!x>
  %1 = tte.conv2d %0 weights(%d) padding [1, 1, 1, 1] groups 4 : (tensor<1x8x8x4x!x>, tensor<3x3x1x4x!w4>) -> tensor<1x8x8x4x!x>
  %2 = tte.conv2d %1 weights(%p) : (tensor<1x8x8x4x!x>, tensor<1x1x4x2x!w2>) -> tensor<1x8x8x2x!x>
  %3 = tte.add %2, %x : (tensor<1x8x8x2x!x>, tensor<1x8x8x2x!x>) -> tensor<1x8x8x2x!x>
  return %3 : tensor<1x8x8x2x!x>
}

// No layer of this block takes more than 256 + 64 bytes.
// CHECK-LABEL: @without_expansion
// LIMIT-LABEL: @without_expansion
func.func @without_expansion(%x: tensor<1x8x8x4x!x>, %d: tensor<3x3x1x4x!w4>, %p: tensor<1x1x4x2x!w2>) -> tensor<1x4x4x2x!x> {
  // CHECK-NEXT: tte.dispatch row_stream
  // CHECK-COUNT-2: tte.conv2d
  // LIMIT-NOT: tte.dispatch
  %0 = tte.conv2d %x weights(%d) strides [2, 2] padding [1, 1, 1, 1] groups 4 : (tensor<1x8x8x4x!x>, tensor<3x3x1x4x!w4>) -> tensor<1x4x4x4x!x>
  %1 = tte.conv2d %0 weights(%p) : (tensor<1x4x4x4x!x>, tensor<1x1x4x2x!w2>) -> tensor<1x4x4x2x!x>
  return %1 : tensor<1x4x4x2x!x>
}

// The first layer of a network stands in for the expansion.
// CHECK-LABEL: @stem
// LIMIT-LABEL: @stem
func.func @stem(%x: tensor<1x8x8x2x!x>, %s: tensor<3x3x2x4x!w4>, %d: tensor<3x3x1x4x!w4>, %p: tensor<1x1x4x2x!w2>) -> tensor<1x4x4x2x!x> {
  // CHECK-NEXT: tte.dispatch row_stream
  // CHECK-COUNT-3: tte.conv2d
  // CHECK-NEXT: tte.yield
  %0 = tte.conv2d %x weights(%s) strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x8x8x2x!x>, tensor<3x3x2x4x!w4>) -> tensor<1x4x4x4x!x>
  %1 = tte.conv2d %0 weights(%d) padding [1, 1, 1, 1] groups 4 : (tensor<1x4x4x4x!x>, tensor<3x3x1x4x!w4>) -> tensor<1x4x4x4x!x>
  %2 = tte.conv2d %1 weights(%p) : (tensor<1x4x4x4x!x>, tensor<1x1x4x2x!w2>) -> tensor<1x4x4x2x!x>
  return %2 : tensor<1x4x4x2x!x>
}

// CHECK-LABEL: @pool
func.func @pool(%x: tensor<1x8x8x2x!x>, %w: tensor<3x3x2x4x!w4>) -> tensor<1x4x4x4x!x> {
  // CHECK-NEXT: tte.dispatch row_stream
  // CHECK-NEXT: tte.conv2d
  // CHECK-NEXT: tte.max_pool2d
  %0 = tte.conv2d %x weights(%w) padding [1, 1, 1, 1] : (tensor<1x8x8x2x!x>, tensor<3x3x2x4x!w4>) -> tensor<1x8x8x4x!x>
  %1 = tte.max_pool2d %0 kernel [2, 2] strides [2, 2] : (tensor<1x8x8x4x!x>) -> tensor<1x4x4x4x!x>
  return %1 : tensor<1x4x4x4x!x>
}

// The backward pass needs what the depthwise convolution reads: the rest is fused.
// CHECK-LABEL: @saved_before
func.func @saved_before(%x: tensor<1x8x8x2x!x>, %e: tensor<1x1x2x4x!w4>, %d: tensor<3x3x1x4x!w4>, %p: tensor<1x1x4x2x!w2>) -> (tensor<1x8x8x2x!x>, tensor<1x8x8x4x!x>) {
  // CHECK-NEXT: %[[SAVED:.*]] = tte.conv2d
  // CHECK-NEXT: tte.dispatch row_stream forward ({{.*}} = %[[SAVED]] :
  %0 = tte.conv2d %x weights(%e) : (tensor<1x8x8x2x!x>, tensor<1x1x2x4x!w4>) -> tensor<1x8x8x4x!x>
  %1 = tte.conv2d %0 weights(%d) padding [1, 1, 1, 1] groups 4 : (tensor<1x8x8x4x!x>, tensor<3x3x1x4x!w4>) -> tensor<1x8x8x4x!x>
  %2 = tte.conv2d %1 weights(%p) : (tensor<1x8x8x4x!x>, tensor<1x1x4x2x!w2>) -> tensor<1x8x8x2x!x>
  return %2, %0 : tensor<1x8x8x2x!x>, tensor<1x8x8x4x!x>
}

// The same for what the projection reads.
// CHECK-LABEL: @saved_after
func.func @saved_after(%x: tensor<1x8x8x2x!x>, %e: tensor<1x1x2x4x!w4>, %d: tensor<3x3x1x4x!w4>, %p: tensor<1x1x4x2x!w2>) -> (tensor<1x8x8x2x!x>, tensor<1x8x8x4x!x>) {
  // CHECK-NEXT: %[[SAVED:.*]] = tte.dispatch row_stream
  // CHECK-COUNT-2: tte.conv2d
  // CHECK: }
  // CHECK-NEXT: tte.conv2d %[[SAVED]]
  %0 = tte.conv2d %x weights(%e) : (tensor<1x8x8x2x!x>, tensor<1x1x2x4x!w4>) -> tensor<1x8x8x4x!x>
  %1 = tte.conv2d %0 weights(%d) padding [1, 1, 1, 1] groups 4 : (tensor<1x8x8x4x!x>, tensor<3x3x1x4x!w4>) -> tensor<1x8x8x4x!x>
  %2 = tte.conv2d %1 weights(%p) : (tensor<1x8x8x4x!x>, tensor<1x1x4x2x!w2>) -> tensor<1x8x8x2x!x>
  return %2, %1 : tensor<1x8x8x2x!x>, tensor<1x8x8x4x!x>
}

// The sum is with another value.
// CHECK-LABEL: @other_sum
func.func @other_sum(%x: tensor<1x8x8x4x!x>, %d: tensor<3x3x1x4x!w4>, %p: tensor<1x1x4x2x!w2>, %y: tensor<1x8x8x2x!x>) -> tensor<1x8x8x2x!x> {
  // CHECK: tte.dispatch row_stream
  // CHECK: }
  // CHECK-NEXT: tte.add
  %0 = tte.conv2d %x weights(%d) padding [1, 1, 1, 1] groups 4 : (tensor<1x8x8x4x!x>, tensor<3x3x1x4x!w4>) -> tensor<1x8x8x4x!x>
  %1 = tte.conv2d %0 weights(%p) : (tensor<1x8x8x4x!x>, tensor<1x1x4x2x!w2>) -> tensor<1x8x8x2x!x>
  %2 = tte.add %1, %y : (tensor<1x8x8x2x!x>, tensor<1x8x8x2x!x>) -> tensor<1x8x8x2x!x>
  return %2 : tensor<1x8x8x2x!x>
}

// CHECK-LABEL: @real
func.func @real(%x: tensor<1x8x8x4xf32>, %d: tensor<3x3x1x4xf32>, %p: tensor<1x1x4x2xf32>) -> tensor<1x8x8x2xf32> {
  // CHECK-NOT: tte.dispatch
  %0 = tte.conv2d %x weights(%d) padding [1, 1, 1, 1] groups 4 : (tensor<1x8x8x4xf32>, tensor<3x3x1x4xf32>) -> tensor<1x8x8x4xf32>
  %1 = tte.conv2d %0 weights(%p) : (tensor<1x8x8x4xf32>, tensor<1x1x4x2xf32>) -> tensor<1x8x8x2xf32>
  return %1 : tensor<1x8x8x2xf32>
}

// CHECK-LABEL: @two_images
func.func @two_images(%x: tensor<2x8x8x4x!x>, %d: tensor<3x3x1x4x!w4>, %p: tensor<1x1x4x2x!w2>) -> tensor<2x8x8x2x!x> {
  // CHECK-NOT: tte.dispatch
  %0 = tte.conv2d %x weights(%d) padding [1, 1, 1, 1] groups 4 : (tensor<2x8x8x4x!x>, tensor<3x3x1x4x!w4>) -> tensor<2x8x8x4x!x>
  %1 = tte.conv2d %0 weights(%p) : (tensor<2x8x8x4x!x>, tensor<1x1x4x2x!w2>) -> tensor<2x8x8x2x!x>
  return %1 : tensor<2x8x8x2x!x>
}

// Nothing is gained by fusing one layer.
// CHECK-LABEL: @alone
func.func @alone(%x: tensor<1x8x8x4x!x>, %d: tensor<3x3x1x4x!w4>) -> tensor<1x8x8x4x!x> {
  // CHECK-NOT: tte.dispatch
  %0 = tte.conv2d %x weights(%d) padding [1, 1, 1, 1] groups 4 : (tensor<1x8x8x4x!x>, tensor<3x3x1x4x!w4>) -> tensor<1x8x8x4x!x>
  return %0 : tensor<1x8x8x4x!x>
}
