// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-fuse-backward-block))' | FileCheck %s
// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-fuse-backward-block{limit=4096}))' | FileCheck %s --check-prefix=LIMIT

!y = !quant.uniform<i8:f32, 0.05:-5>
!w2 = !quant.uniform<i8<-127:127>:f32:3, {0.01, 0.02}>
!w8 = !quant.uniform<i8<-127:127>:f32:3, {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08}>
!b16 = !quant.uniform<i32:f32:0, {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08}>
!b8 = !quant.uniform<i32:f32:0, {0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08}>

// The update of the bias stands behind a reader of the block's result: the block runs before both.
// CHECK-LABEL: @block
// LIMIT-LABEL: @block
// LIMIT-NOT: tte.dispatch
func.func @block(%g: tensor<1x4x4x2xf32>, %p: tensor<1x1x8x2x!w2>, %d: tensor<3x3x1x8x!w8>, %e: tensor<1x1x2x8x!w8>, %b: tensor<8x!b8> {tte.state = @b},
    %saved: tensor<1x4x4x8x!y>, %bits: tensor<16xi8>, %other: tensor<1x4x4x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<8x!b8> {tte.state = @b}, tensor<1x4x4x2xf32>) {
  // CHECK-NEXT: %[[R:.*]]:2 = tte.dispatch channel_group backward ({{.*}}) -> (tensor<1x4x4x2xf32>, tensor<8x!{{.*}}>) tied [-1, [[TIED:[0-9]+]]] {
  // CHECK-NEXT: tte.conv2d_input_grad
  // CHECK-NEXT: tte.clamp_grad
  // CHECK-NEXT: tte.conv2d_input_grad {{.*}} groups 8
  // CHECK-NEXT: tte.apply_mask
  // CHECK-NEXT: tte.conv2d_input_grad
  // CHECK-NEXT: tte.add
  // CHECK-NEXT: tte.bias_grad
  // CHECK-NEXT: tte.scale_gradient
  // CHECK-NEXT: tte.sgd
  // CHECK: }
  // CHECK-NEXT: tte.clamp %[[R]]#0
  // CHECK-NEXT: return %[[R]]#1
  %0 = tte.conv2d_input_grad %g weights(%p) : (tensor<1x4x4x2xf32>, tensor<1x1x8x2x!w2>) -> tensor<1x4x4x8xf32>
  %1 = tte.clamp_grad %0, %saved <-128.0, 127.0> : (tensor<1x4x4x8xf32>, tensor<1x4x4x8x!y>) -> tensor<1x4x4x8xf32>
  %2 = tte.conv2d_input_grad %1 weights(%d) padding [1, 1, 1, 1] groups 8 : (tensor<1x4x4x8xf32>, tensor<3x3x1x8x!w8>) -> tensor<1x4x4x8xf32>
  %3 = tte.apply_mask %2, %bits : (tensor<1x4x4x8xf32>, tensor<16xi8>) -> tensor<1x4x4x8xf32>
  %4 = tte.conv2d_input_grad %3 weights(%e) : (tensor<1x4x4x8xf32>, tensor<1x1x2x8x!w8>) -> tensor<1x4x4x2xf32>
  %5 = tte.add %other, %4 : (tensor<1x4x4x2xf32>, tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %6 = tte.clamp %5 <-1.0, 1.0> : tensor<1x4x4x2xf32>
  %7 = tte.bias_grad %3 : (tensor<1x4x4x8xf32>) -> tensor<8xf32>
  %8 = tte.scale_gradient %7 by scale of !b8 to the -1 : tensor<8xf32>
  %9 = tte.sgd %b, %8 rate %rate step %step nearest stream 0 : (tensor<8x!b8>, tensor<8xf32>, tensor<f32>, tensor<i32>) -> tensor<8x!b8>
  return %9, %6 : tensor<8x!b8>, tensor<1x4x4x2xf32>
}

// Nothing needs the gradient of what the depthwise convolution reads. The weight of the projection
// comes in two parts.
// CHECK-LABEL: @last
func.func @last(%g: tensor<1x4x4x2xf32>, %p: tensor<1x1x8x2x!w2>, %q: tensor<1x1x8x2x!w2>, %b: tensor<16x!b16> {tte.state = @b},
    %saved: tensor<1x4x4x16x!y>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<16x!b16> {tte.state = @b}) {
  // CHECK-NEXT: tte.dispatch channel_group backward
  // CHECK-NEXT: tte.conv2d_input_grad
  // CHECK-NEXT: tte.clamp_grad
  // CHECK-NEXT: tte.bias_grad
  // CHECK-NEXT: tte.scale_gradient
  // CHECK-NEXT: tte.sgd
  // CHECK-NEXT: tte.yield
  %0 = tte.conv2d_input_grad %g weights(%p, %q) : (tensor<1x4x4x2xf32>, tensor<1x1x8x2x!w2>, tensor<1x1x8x2x!w2>) -> tensor<1x4x4x16xf32>
  %1 = tte.clamp_grad %0, %saved <-128.0, 127.0> : (tensor<1x4x4x16xf32>, tensor<1x4x4x16x!y>) -> tensor<1x4x4x16xf32>
  %2 = tte.bias_grad %1 : (tensor<1x4x4x16xf32>) -> tensor<16xf32>
  %3 = tte.scale_gradient %2 by scale of !b16 to the -1 : tensor<16xf32>
  %4 = tte.sgd %b, %3 rate %rate step %step nearest stream 0 : (tensor<16x!b16>, tensor<16xf32>, tensor<f32>, tensor<i32>) -> tensor<16x!b16>
  return %4 : tensor<16x!b16>
}

// Something outside needs the gradient of the expanded channels as a whole.
// CHECK-LABEL: @needed_whole
func.func @needed_whole(%g: tensor<1x4x4x2xf32>, %p: tensor<1x1x8x2x!w2>, %d: tensor<3x3x1x8x!w8>, %e: tensor<1x1x2x8x!w8>, %saved: tensor<1x4x4x8x!y>) -> (tensor<1x4x4x2xf32>, tensor<1x4x4x8xf32>) {
  // CHECK-NOT: tte.dispatch
  %0 = tte.conv2d_input_grad %g weights(%p) : (tensor<1x4x4x2xf32>, tensor<1x1x8x2x!w2>) -> tensor<1x4x4x8xf32>
  %1 = tte.clamp_grad %0, %saved <-128.0, 127.0> : (tensor<1x4x4x8xf32>, tensor<1x4x4x8x!y>) -> tensor<1x4x4x8xf32>
  %2 = tte.conv2d_input_grad %1 weights(%d) padding [1, 1, 1, 1] groups 8 : (tensor<1x4x4x8xf32>, tensor<3x3x1x8x!w8>) -> tensor<1x4x4x8xf32>
  %3 = tte.clamp_grad %2, %saved <-128.0, 127.0> : (tensor<1x4x4x8xf32>, tensor<1x4x4x8x!y>) -> tensor<1x4x4x8xf32>
  %4 = tte.conv2d_input_grad %3 weights(%e) : (tensor<1x4x4x8xf32>, tensor<1x1x2x8x!w8>) -> tensor<1x4x4x2xf32>
  return %4, %3 : tensor<1x4x4x2xf32>, tensor<1x4x4x8xf32>
}

// Without a mask between them.
// CHECK-LABEL: @unmasked
func.func @unmasked(%g: tensor<1x4x4x2xf32>, %p: tensor<1x1x8x2x!w2>, %d: tensor<3x3x1x8x!w8>, %e: tensor<1x1x2x8x!w8>) -> tensor<1x4x4x2xf32> {
  // CHECK-NOT: tte.dispatch
  %0 = tte.conv2d_input_grad %g weights(%p) : (tensor<1x4x4x2xf32>, tensor<1x1x8x2x!w2>) -> tensor<1x4x4x8xf32>
  %1 = tte.conv2d_input_grad %0 weights(%d) padding [1, 1, 1, 1] groups 8 : (tensor<1x4x4x8xf32>, tensor<3x3x1x8x!w8>) -> tensor<1x4x4x8xf32>
  %2 = tte.conv2d_input_grad %1 weights(%e) : (tensor<1x4x4x8xf32>, tensor<1x1x2x8x!w8>) -> tensor<1x4x4x2xf32>
  return %2 : tensor<1x4x4x2xf32>
}
