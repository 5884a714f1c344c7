// RUN: tte-opt %s | tte-opt | FileCheck %s
// RUN: tte-opt %s --mlir-print-op-generic | tte-opt | FileCheck %s

// States of an optimizer beside the parameter.

!w = !quant.uniform<i8<-127:127>:f32:1, {0.1, 0.2}>

// CHECK-LABEL: func.func @optimizer(
func.func @optimizer(%w: tensor<4x2x!w>, %low: tensor<4x2xi8>, %velocity: tensor<4x2xf32>, %sum: tensor<4x2xf32>, %g: tensor<4x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<4x2x!w>, tensor<4x2xi8>, tensor<4x2xf32>, tensor<4x2xf32>) {
  // CHECK: %[[MEAN:.*]] = tte.accumulate %{{.*}}, %{{.*}} step %{{.*}} batch 4 : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<i32>) -> tensor<4x2xf32>
  %0 = tte.accumulate %sum, %g step %step batch 4
    : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<i32>) -> tensor<4x2xf32>
  // CHECK: %[[MOVED:.*]] = tte.momentum %{{.*}}, %[[MEAN]] factor 5.000000e-01 step %{{.*}} every 4 : (
  %1 = tte.momentum %velocity, %0 factor 0.5 step %step every 4
    : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<i32>) -> tensor<4x2xf32>
  // CHECK: tte.sgd_residual %{{.*}} low %{{.*}} bits 4, %[[MOVED]] rate %{{.*}} step %{{.*}} times 2.000000e+00 every 4 : (
  %2 = tte.sgd_residual %w low %low bits 4, %1 rate %rate step %step times 2.0 every 4
    : (tensor<4x2x!w>, tensor<4x2xi8>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2xi8>
  // CHECK: tte.sgd %{{.*}}, %[[MOVED]] rate %{{.*}} step %{{.*}} residual stream 7 low %{{.*}} bits 4 times 2.000000e+00 every 4 : (
  %3 = tte.sgd %w, %1 rate %rate step %step residual stream 7 low %low bits 4 times 2.0 every 4
    : (tensor<4x2x!w>, tensor<4x2xf32>, tensor<f32>, tensor<i32>, tensor<4x2xi8>) -> tensor<4x2x!w>
  return %3, %2, %1, %0 : tensor<4x2x!w>, tensor<4x2xi8>, tensor<4x2xf32>, tensor<4x2xf32>
}
