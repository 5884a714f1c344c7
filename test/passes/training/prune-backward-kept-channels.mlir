// RUN: tte-opt %s --split-input-file --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward)' | FileCheck %s
// RUN: tte-opt %s --split-input-file --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward,func.func(tte-pack-masks))' | FileCheck %s --check-prefix=PACKED
// Of an activation that a weight gradient reads in part the forward pass keeps these channels.

!activation = !quant.uniform<i8:f32, 0.5:3>
!weight = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25, 0.125, 1.0}>
!bias = !quant.uniform<i32<-1000:1000>:f32:0, {0.25, 0.125, 0.0625, 0.5}>

// The bias before trains as well: the gradient passes the activation, of which a mask is needed,
// which is kept as bits.
ml_program.global private @a(dense<1> : tensor<4x4xi8>) : tensor<4x4x!weight>
ml_program.global private @a.bias(dense<1> : tensor<4xi32>) : tensor<4x!bias> {tte.update = #tte.update<0, 4>}
ml_program.global private @b(dense<1> : tensor<4x4xi8>) : tensor<4x4x!weight> {tte.update = #tte.update<1, 2>}
func.func @forward(%x: tensor<1x4x!activation>) -> tensor<1x4xf32> {
  %a = ml_program.global_load_const @a : tensor<4x4x!weight>
  %bias = ml_program.global_load_const @a.bias : tensor<4x!bias>
  %b = ml_program.global_load_const @b : tensor<4x4x!weight>
  %0 = tte.dense %x weights(%a) bias(%bias) : (tensor<1x4x!activation>, tensor<4x4x!weight>, tensor<4x!bias>) -> tensor<1x4x!activation>
  %1 = tte.dense %0 weights(%b) : (tensor<1x4x!activation>, tensor<4x4x!weight>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// CHECK: func.func @train_step
// CHECK: %[[Y:.*]] = tte.dense %{{.*}} bias
// CHECK-NEXT: %[[KEPT:.*]] = tte.slice %[[Y]] offsets [0, 1] : (tensor<1x4x!activation>) -> tensor<1x2x!activation>
// CHECK: tte.check_finite
// CHECK: tte.dense_weight_grad %[[KEPT]], %{{.*}} : (tensor<1x2x!activation>, tensor<1x4xf32>) -> tensor<2x4xf32>
// CHECK: tte.clamp_grad %{{.*}}, %[[Y]]

// PACKED: func.func @train_step
// PACKED: %[[Y:.*]] = tte.dense %{{.*}} bias
// PACKED-DAG: tte.slice %[[Y]]
// PACKED-DAG: tte.clamp_mask %[[Y]]
// PACKED: tte.check_finite
// PACKED-NOT: %[[Y]]
// PACKED: return

// -----

// Three of four channels of f32, and the mask of 32 bits: more than the whole; it is kept.
ml_program.global private @a.bias(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private @a(dense<1.0> : tensor<4x4xf32>) : tensor<4x4xf32>
ml_program.global private @b(dense<1.0> : tensor<4x4xf32>) : tensor<4x4xf32> {tte.update = #tte.update<0, 3>}
ml_program.global private @c(dense<1.0> : tensor<4x4xf32>) : tensor<4x4xf32> {tte.update = #tte.update<0, 1>}
func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %a = ml_program.global_load_const @a : tensor<4x4xf32>
  %b = ml_program.global_load_const @b : tensor<4x4xf32>
  %c = ml_program.global_load_const @c : tensor<4x4xf32>
  %0 = tte.dense %x weights(%a) clamp <0.0, inf> : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  %1 = tte.dense %0 weights(%b) : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  %2 = tte.dense %0 weights(%c) : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  %3 = tte.add %1, %2 : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  return %3 : tensor<1x4xf32>
}

// CHECK: func.func @train_step
// CHECK-NOT: tte.slice
// CHECK: return
// PACKED: func.func @train_step
// PACKED: return

// -----

// Nothing before trains, and two layers need a channel each.
ml_program.global private @b(dense<1.0> : tensor<1x1x4x2xf32>) : tensor<1x1x4x2xf32> {tte.update = #tte.update<3, 1>}
ml_program.global private @c(dense<1.0> : tensor<3x3x4x2xf32>) : tensor<3x3x4x2xf32> {tte.update = #tte.update<0, 1>}
func.func @forward(%x: tensor<1x6x6x4xf32>) -> tensor<1x18xf32> {
  %b = ml_program.global_load_const @b : tensor<1x1x4x2xf32>
  %c = ml_program.global_load_const @c : tensor<3x3x4x2xf32>
  %p = tte.avg_pool2d %x kernel [2, 2] strides [2, 2] : (tensor<1x6x6x4xf32>) -> tensor<1x3x3x4xf32>
  %0 = tte.conv2d %p weights(%b) : (tensor<1x3x3x4xf32>, tensor<1x1x4x2xf32>) -> tensor<1x3x3x2xf32>
  %1 = tte.conv2d %p weights(%c) padding [1, 1, 1, 1] : (tensor<1x3x3x4xf32>, tensor<3x3x4x2xf32>) -> tensor<1x3x3x2xf32>
  %2 = tte.add %0, %1 : (tensor<1x3x3x2xf32>, tensor<1x3x3x2xf32>) -> tensor<1x3x3x2xf32>
  %3 = tte.reshape %2 : (tensor<1x3x3x2xf32>) -> tensor<1x18xf32>
  return %3 : tensor<1x18xf32>
}

// CHECK: func.func @train_step
// CHECK: %[[P:.*]] = tte.avg_pool2d
// CHECK-DAG: %[[LAST:.*]] = tte.slice %[[P]] offsets [0, 0, 0, 3] : (tensor<1x3x3x4xf32>) -> tensor<1x3x3x1xf32>
// CHECK-DAG: %[[FIRST:.*]] = tte.slice %[[P]] offsets [0, 0, 0, 0] : (tensor<1x3x3x4xf32>) -> tensor<1x3x3x1xf32>
// CHECK: tte.check_finite
// CHECK-DAG: tte.conv2d_weight_grad %[[LAST]], %{{.*}} : (tensor<1x3x3x1xf32>, tensor<1x3x3x2xf32>) -> tensor<1x1x1x2xf32>
// CHECK-DAG: tte.conv2d_weight_grad %[[FIRST]], %{{.*}} padding [1, 1, 1, 1] : (tensor<1x3x3x1xf32>, tensor<1x3x3x2xf32>) -> tensor<3x3x1x2xf32>
// PACKED: func.func @train_step

// -----

// Depthwise: the kept channels of the activation and the same ones of the gradient, as a
// convolution of these alone.
ml_program.global private @a(dense<1.0> : tensor<1x1x4x8xf32>) : tensor<1x1x4x8xf32>
ml_program.global private @d(dense<1.0> : tensor<3x3x1x8xf32>) : tensor<3x3x1x8xf32> {tte.update = #tte.update<5, 2>}
func.func @forward(%x: tensor<1x6x6x4xf32>) -> tensor<1x72xf32> {
  %a = ml_program.global_load_const @a : tensor<1x1x4x8xf32>
  %d = ml_program.global_load_const @d : tensor<3x3x1x8xf32>
  %0 = tte.conv2d %x weights(%a) : (tensor<1x6x6x4xf32>, tensor<1x1x4x8xf32>) -> tensor<1x6x6x8xf32>
  %1 = tte.conv2d %0 weights(%d) strides [2, 2] padding [1, 1, 1, 1] groups 8 : (tensor<1x6x6x8xf32>, tensor<3x3x1x8xf32>) -> tensor<1x3x3x8xf32>
  %2 = tte.reshape %1 : (tensor<1x3x3x8xf32>) -> tensor<1x72xf32>
  return %2 : tensor<1x72xf32>
}

// CHECK: func.func @train_step
// CHECK: %[[E:.*]] = tte.conv2d
// CHECK-NEXT: %[[KEPT:.*]] = tte.slice %[[E]] offsets [0, 0, 0, 5] : (tensor<1x6x6x8xf32>) -> tensor<1x6x6x2xf32>
// CHECK: tte.check_finite
// CHECK: %[[GRADIENT:.*]] = tte.slice %{{.*}} offsets [0, 0, 0, 5] : (tensor<1x3x3x8xf32>) -> tensor<1x3x3x2xf32>
// CHECK-NEXT: tte.conv2d_weight_grad %[[KEPT]], %[[GRADIENT]] strides [2, 2] padding [1, 1, 1, 1] groups 2 : (tensor<1x6x6x2xf32>, tensor<1x3x3x2xf32>) -> tensor<3x3x1x2xf32>
// PACKED: func.func @train_step

// -----

// Of the network's input as well.
ml_program.global private @b(dense<1.0> : tensor<3x3x4x2xf32>) : tensor<3x3x4x2xf32> {tte.update = #tte.update<1, 2>}
func.func @forward(%x: tensor<1x3x3x4xf32> {tte.role = #tte.role<input>}) -> tensor<1x18xf32> {
  %b = ml_program.global_load_const @b : tensor<3x3x4x2xf32>
  %0 = tte.conv2d %x weights(%b) padding [1, 1, 1, 1] : (tensor<1x3x3x4xf32>, tensor<3x3x4x2xf32>) -> tensor<1x3x3x2xf32>
  %1 = tte.reshape %0 : (tensor<1x3x3x2xf32>) -> tensor<1x18xf32>
  return %1 : tensor<1x18xf32>
}

// CHECK: func.func @train_step({{.*}}%[[X:arg[0-9]+]]: tensor<1x3x3x4xf32>
// CHECK: %[[KEPT:.*]] = tte.slice %[[X]] offsets [0, 0, 0, 1] : (tensor<1x3x3x4xf32>) -> tensor<1x3x3x2xf32>
// CHECK: tte.conv2d_weight_grad %[[KEPT]], %
// PACKED: func.func @train_step
