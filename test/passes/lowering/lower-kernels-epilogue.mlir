// RUN: tte-opt %s --tte-lower-kernels --canonicalize | FileCheck %s

// Elementwise ops after the root of a kernel are applied to sums in registers.

!x = !quant.uniform<i8:f32, 0.5:-128>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25, 0.125, 1.0}>

module {
module @kernels {
  // The gradient of the weight has no buffer; stored weights are read and written once.
  // CHECK-LABEL: func.func @update
  // CHECK-SAME: (%[[X:.*]]: memref<3xi8>, %[[G:.*]]: memref<4xf32>, %[[W:.*]]: memref<12xi8>, %[[RATE:.*]]: memref<1xf32>, %[[STEP:.*]]: memref<1xi32>, %{{.*}}: memref<2xi32>, %{{.*}}: memref<5xf32>, %[[OUT:.*]]: memref<12xi8>)
  // CHECK: math.fma
  // CHECK: memref.load %[[W]]
  // CHECK: math.floor
  // CHECK: memref.store %{{.*}}, %[[OUT]]
  tte.kernel @update plain {
  ^bb0(%x: tensor<1x3x!x>, %g: tensor<1x4xf32>, %w: tensor<3x4x!w>, %rate: tensor<f32>, %step: tensor<i32>):
    %0 = tte.dense_weight_grad %x, %g : (tensor<1x3x!x>, tensor<1x4xf32>) -> tensor<3x4xf32>
    %1 = tte.scale_gradient %0 by scale of !w to the -1 : tensor<3x4xf32>
    %2 = tte.sgd %w, %1 rate %rate step %step stochastic stream 7
      : (tensor<3x4x!w>, tensor<3x4xf32>, tensor<f32>, tensor<i32>) -> tensor<3x4x!w>
    tte.yield %2 : tensor<3x4x!w>
  }
  // CHECK-LABEL: func.func @masked
  // CHECK: math.fma
  // CHECK: %[[MASKED:.*]] = arith.select
  // CHECK: memref.store %[[MASKED]]
  tte.kernel @masked plain {
  ^bb0(%g: tensor<1x4xf32>, %w: tensor<3x4x!w>, %x: tensor<1x3x!x>):
    %0 = tte.dense_input_grad %g weights(%w) : (tensor<1x4xf32>, tensor<3x4x!w>) -> tensor<1x3xf32>
    %1 = tte.clamp_grad %0, %x <-128.0, 127.0> : (tensor<1x3xf32>, tensor<1x3x!x>) -> tensor<1x3xf32>
    tte.yield %1 : tensor<1x3xf32>
  }
}
}
