// RUN: tte-opt %s --tte-lower-to-linalg --canonicalize --cse | FileCheck %s

!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>
!b = !quant.uniform<i32<-1000:1000>:f32:0, {0.5, 0.25}>

// The generator counts by the index in the full parameter of shape 9 x 2.
// CHECK-LABEL: func.func @stochastic
// CHECK: linalg.index 0
// CHECK: arith.addi %{{.*}}, %c4_i32
// CHECK: linalg.index 1
// CHECK: arith.shrui
// CHECK: math.floor
// CHECK: arith.maxsi %{{.*}}, %c-127_i64
// CHECK: arith.minsi %{{.*}}, %c127_i64
func.func @stochastic(%p: tensor<3x2x!w>, %g: tensor<3x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<3x2x!w> {
  %0 = tte.sgd %p, %g rate %rate step %step stochastic stream 7 origin <[9, 2], [4, 0]>
    : (tensor<3x2x!w>, tensor<3x2xf32>, tensor<f32>, tensor<i32>) -> tensor<3x2x!w>
  return %0 : tensor<3x2x!w>
}

// Biases in i32 round to nearest whatever the mode, within their storage range.
// CHECK-LABEL: func.func @bias
// CHECK-NOT: math.floor
// CHECK: math.roundeven
// CHECK: arith.minsi %{{.*}}, %c1000_i64
func.func @bias(%p: tensor<2x!b>, %g: tensor<2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<2x!b> {
  %0 = tte.sgd %p, %g rate %rate step %step stochastic stream 7
    : (tensor<2x!b>, tensor<2xf32>, tensor<f32>, tensor<i32>) -> tensor<2x!b>
  return %0 : tensor<2x!b>
}

// CHECK-LABEL: func.func @scale_gradient
// CHECK-DAG: arith.constant dense<[2.000000e+00, 4.000000e+00]> : tensor<2xf32>
// CHECK: arith.mulf
func.func @scale_gradient(%g: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %0 = tte.scale_gradient %g by scale of !w to the -1 : tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// CHECK-LABEL: func.func @check_finite
// CHECK-SAME: (%[[A:.*]]: tensor<f32>, %[[B:.*]]: tensor<1x3xf32>)
// CHECK-COUNT-2: cf.assert %{{.*}}, "the step met a value that is not finite"
// CHECK: return %[[A]], %[[B]]
func.func @check_finite(%a: tensor<f32>, %b: tensor<1x3xf32>) -> (tensor<f32>, tensor<1x3xf32>) {
  %0:2 = tte.check_finite %a, %b : (tensor<f32>, tensor<1x3xf32>) -> (tensor<f32>, tensor<1x3xf32>)
  return %0#0, %0#1 : tensor<f32>, tensor<1x3xf32>
}

// The finer grid has 2^4 numbers between two of the parameter's.
// CHECK-LABEL: func.func @residual
// CHECK: math.roundeven
// CHECK: arith.maxsi %{{.*}}, %c-2032_i64
// CHECK: arith.minsi %{{.*}}, %c2032_i64
// CHECK: arith.shrsi %{{.*}}, %c4_i64
func.func @residual(%p: tensor<3x2x!w>, %low: tensor<3x2xi8>, %g: tensor<3x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<3x2x!w> {
  %0 = tte.sgd %p, %g rate %rate step %step residual stream 7 low %low bits 4
    : (tensor<3x2x!w>, tensor<3x2xf32>, tensor<f32>, tensor<i32>, tensor<3x2xi8>) -> tensor<3x2x!w>
  return %0 : tensor<3x2x!w>
}

// CHECK-LABEL: func.func @every_third_step
// CHECK: %[[NEXT:.*]] = arith.addi %{{.*}}, %c1_i32
// CHECK: arith.remui %[[NEXT]], %c3_i32
// CHECK: arith.select
func.func @every_third_step(%v: tensor<2xf32>, %g: tensor<2xf32>, %step: tensor<i32>) -> tensor<2xf32> {
  %0 = tte.momentum %v, %g factor 0.5 step %step every 3 : (tensor<2xf32>, tensor<2xf32>, tensor<i32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: func.func @accumulate
// CHECK: arith.mulf %{{.*}}, %cst
// CHECK: arith.remui %{{.*}}, %c4_i32
// CHECK: arith.addf
// CHECK: arith.select
func.func @accumulate(%sum: tensor<2xf32>, %g: tensor<2xf32>, %step: tensor<i32>) -> tensor<2xf32> {
  %0 = tte.accumulate %sum, %g step %step batch 4 : (tensor<2xf32>, tensor<2xf32>, tensor<i32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
