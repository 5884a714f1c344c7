// RUN: tte-opt %s | tte-opt | FileCheck %s
// RUN: tte-opt %s --mlir-print-op-generic | tte-opt | FileCheck %s
// RUN: mlir-opt --load-dialect-plugin=%tte_plugin %s | FileCheck %s

// Updates, dispatches, and the planned program.

!w = !quant.uniform<i8<-127:127>:f32:1, {0.1, 0.2}>

// CHECK-LABEL: func.func @updates(
func.func @updates(%w: tensor<4x2x!w>, %g: tensor<4x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<4x2x!w>, tensor<4x2xf32>) {
  // CHECK: tte.check_finite %{{.*}}, %{{.*}} : (tensor<4x2xf32>, tensor<f32>) -> (tensor<4x2xf32>, tensor<f32>)
  %0:2 = tte.check_finite %g, %rate : (tensor<4x2xf32>, tensor<f32>) -> (tensor<4x2xf32>, tensor<f32>)
  // CHECK: tte.scale_gradient %{{.*}} by scale of !weight to the -1 : tensor<4x2xf32>
  %1 = tte.scale_gradient %0#0 by scale of !w to the -1 : tensor<4x2xf32>
  // CHECK: tte.sgd %{{.*}}, %{{.*}} rate %{{.*}} step %{{.*}} stochastic stream 7 origin <[16, 2], [8, 0]> : (tensor<4x2x!weight>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2x!weight>
  %2 = tte.sgd %w, %1 rate %rate step %step stochastic stream 7 origin <[16, 2], [8, 0]>
    : (tensor<4x2x!w>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2x!w>
  // CHECK: tte.sgd %{{.*}}, %{{.*}} rate %{{.*}} step %{{.*}} nearest stream -1 : (
  %3 = tte.sgd %g, %1 rate %rate step %step nearest stream -1
    : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2xf32>
  return %2, %3 : tensor<4x2x!w>, tensor<4x2xf32>
}

// CHECK-LABEL: func.func @dispatch(
func.func @dispatch(%x: tensor<4xf32>, %w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK: %{{.*}} = tte.dispatch plain forward (%[[A:.*]] = %{{.*}} : tensor<4xf32>) -> tensor<4xf32> {
  // CHECK-NEXT: %[[Y:.*]] = tte.clamp %[[A]] <0.0, inf> : tensor<4xf32>
  // CHECK-NEXT: tte.yield %[[Y]] : tensor<4xf32>
  %0 = tte.dispatch plain forward (%a = %x : tensor<4xf32>) -> tensor<4xf32> {
    %y = tte.clamp %a <0.0, inf> : tensor<4xf32>
    tte.yield %y : tensor<4xf32>
  }
  // CHECK: %{{.*}}:2 = tte.dispatch plain update (%{{.*}} = %{{.*}} : tensor<4xf32>, %{{.*}} = %{{.*}} : tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) tied [-1, 1] attributes {layer = "head"} {
  %1:2 = tte.dispatch plain update (%a = %0 : tensor<4xf32>, %b = %w : tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) tied [-1, 1] attributes {layer = "head"} {
    %y = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    tte.yield %a, %y : tensor<4xf32>, tensor<4xf32>
  }
  return %1#0, %1#1 : tensor<4xf32>, tensor<4xf32>
}

// CHECK: ml_program.global private @bias(
ml_program.global private @bias(dense<1.0> : tensor<4xf32>) : tensor<4xf32>

// CHECK-LABEL: module @kernels
module @kernels {
  // CHECK: tte.kernel @add plain {
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<4xf32>, %{{.*}}: tensor<4xf32>):
  tte.kernel @add plain {
  ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
    %0 = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    tte.yield %0 : tensor<4xf32>
  }
}

// CHECK-LABEL: func.func @planned(
func.func @planned() {
  // CHECK: %[[X:.*]] = tte.subspan arena[16] : memref<4xf32>
  %x = tte.subspan arena[16] : memref<4xf32>
  // CHECK: %[[W:.*]] = tte.subspan state[0] : memref<4xf32>
  %w = tte.subspan state[0] : memref<4xf32>
  // CHECK: %[[S:.*]] = tte.subspan arena[3] : memref<5xi8>
  %s = tte.subspan arena[3] : memref<5xi8>
  // CHECK: %[[B:.*]] = tte.flash @bias : memref<4xf32>
  %b = tte.flash @bias : memref<4xf32>
  // CHECK: tte.require_finite %[[X]] : memref<4xf32>
  tte.require_finite %x : memref<4xf32>
  // CHECK: tte.call @kernels::@add ins(%[[X]], %[[B]] : memref<4xf32>, memref<4xf32>) outs(%[[W]] : memref<4xf32>) layer "head" phase update macs 0
  tte.call @kernels::@add ins(%x, %b : memref<4xf32>, memref<4xf32>) outs(%w : memref<4xf32>) layer "head" phase update macs 0
  // CHECK: tte.call @kernels::@add ins(%[[X]], %[[W]] : memref<4xf32>, memref<4xf32>) tables(%[[B]] : memref<4xf32>) scratch(%[[S]] : memref<5xi8>) outs(%[[W]] : memref<4xf32>) layer "head" phase forward macs 12
  tte.call @kernels::@add ins(%x, %w : memref<4xf32>, memref<4xf32>) tables(%b : memref<4xf32>) scratch(%s : memref<5xi8>) outs(%w : memref<4xf32>) layer "head" phase forward macs 12
  return
}
