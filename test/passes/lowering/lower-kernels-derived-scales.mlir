// RUN: tte-opt %s --tte-lower-kernels --canonicalize --split-input-file | FileCheck %s

// The factors of a bias update, f32(1 / s_b), follow from the scales of the layer's weight, which
// its input gradient reads: 2 / s_w, moved by units in the last place. Here s_b is s_w / 2, but for
// the last channel, whose factor is a unit larger than the quotient.

!w = !quant.uniform<i8<-127:127>:f32:3, {1.0, 0.5, 0.25, 0.125, 1.0, 0.5, 0.25, 3.0}>
!b = !quant.uniform<i32:f32:0, {0.5, 0.25, 0.125, 0.0625, 0.5, 0.25, 0.125, 1.4999998}>

// CHECK-DAG: @[[STEPS:.*]](dense<[0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 1]> : tensor<12xi8>)
// CHECK-DAG: @[[SCALES:.*]](dense<[1.000000e+00, 5.000000e-01, {{.*}}, 3.000000e+00]> : tensor<8xf32>)
// CHECK-NOT: ml_program.global
// CHECK-LABEL: func.func @run
// CHECK: %[[S0:.*]] = tte.flash @[[SCALES]]
// CHECK: tte.call @kernels::@input_grad {{.*}} tables(%[[S0]] : memref<8xf32>)
// CHECK-DAG: %[[S1:.*]] = tte.flash @[[SCALES]]
// CHECK-DAG: %[[B1:.*]] = tte.flash @[[STEPS]]
// CHECK: tte.call @kernels::@update {{.*}} tables(%[[S1]], %[[B1]] : memref<8xf32>, memref<12xi8>)
func.func @run() {
  %g = tte.subspan arena[0] : memref<1x1x1x8xf32>
  %w = tte.subspan arena[32] : memref<1x1x2x8xi8>
  %dx = tte.subspan arena[48] : memref<1x1x1x2xf32>
  %b = tte.subspan state[0] : memref<8xi32>
  %rate = tte.subspan arena[64] : memref<f32>
  %step = tte.subspan state[32] : memref<i32>
  tte.call @kernels::@input_grad ins(%g, %w : memref<1x1x1x8xf32>, memref<1x1x2x8xi8>)
    outs(%dx : memref<1x1x1x2xf32>) layer "l" phase backward macs 16
  tte.call @kernels::@update ins(%g, %b, %rate, %step : memref<1x1x1x8xf32>, memref<8xi32>, memref<f32>, memref<i32>)
    outs(%b : memref<8xi32>) layer "l" phase update macs 0
  return
}

module @kernels {
  tte.kernel @input_grad plain {
  ^bb0(%g: tensor<1x1x1x8xf32>, %w: tensor<1x1x2x8x!w>):
    %0 = tte.conv2d_input_grad %g weights(%w) : (tensor<1x1x1x8xf32>, tensor<1x1x2x8x!w>) -> tensor<1x1x1x2xf32>
    tte.yield %0 : tensor<1x1x1x2xf32>
  }
  // CHECK-LABEL: func.func @update
  // CHECK: arith.divf
  // CHECK: arith.addi
  // CHECK: arith.bitcast {{.*}} : i32 to f32
  tte.kernel @update plain {
  ^bb0(%g: tensor<1x1x1x8xf32>, %b: tensor<8x!b>, %rate: tensor<f32>, %step: tensor<i32>):
    %0 = tte.bias_grad %g : (tensor<1x1x1x8xf32>) -> tensor<8xf32>
    %1 = tte.scale_gradient %0 by scale of !b to the -1 : tensor<8xf32>
    %2 = tte.sgd %b, %1 rate %rate step %step nearest stream 1
      : (tensor<8x!b>, tensor<8xf32>, tensor<f32>, tensor<i32>) -> tensor<8x!b>
    tte.yield %2 : tensor<8x!b>
  }
}

// -----

// Without the input gradient there is nothing to derive them from.

!b = !quant.uniform<i32:f32:0, {0.5, 0.25, 0.125, 0.0625, 0.5, 0.25, 0.125, 1.5}>

// CHECK: dense<[2.000000e+00, 4.000000e+00, {{.*}}]> : tensor<8xf32>
// CHECK-NOT: ml_program.global
func.func @run() {
  %g = tte.subspan arena[0] : memref<1x1x1x8xf32>
  %b = tte.subspan state[0] : memref<8xi32>
  %rate = tte.subspan arena[64] : memref<f32>
  %step = tte.subspan state[32] : memref<i32>
  tte.call @kernels::@update ins(%g, %b, %rate, %step : memref<1x1x1x8xf32>, memref<8xi32>, memref<f32>, memref<i32>)
    outs(%b : memref<8xi32>) layer "l" phase update macs 0
  return
}

module @kernels {
  tte.kernel @update plain {
  ^bb0(%g: tensor<1x1x1x8xf32>, %b: tensor<8x!b>, %rate: tensor<f32>, %step: tensor<i32>):
    %0 = tte.bias_grad %g : (tensor<1x1x1x8xf32>) -> tensor<8xf32>
    %1 = tte.scale_gradient %0 by scale of !b to the -1 : tensor<8xf32>
    %2 = tte.sgd %b, %1 rate %rate step %step nearest stream 1
      : (tensor<8x!b>, tensor<8xf32>, tensor<f32>, tensor<i32>) -> tensor<8x!b>
    tte.yield %2 : tensor<8x!b>
  }
}
