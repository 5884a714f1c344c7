// RUN: tte-opt %s --tte-lower-to-linalg --canonicalize --cse | FileCheck %s

// The maximum of each row is subtracted before the exponential.
// CHECK-LABEL: func.func @cross_entropy
// CHECK: arith.maximumf
// CHECK: arith.subf
// CHECK-NEXT: math.exp
// CHECK: arith.cmpi eq
// CHECK: math.log
// CHECK: arith.divf %{{.*}}, %{{.*}} : f32
func.func @cross_entropy(%scores: tensor<2x5xf32>, %labels: tensor<2xi32>) -> tensor<f32> {
  %0 = tte.softmax_cross_entropy %scores, %labels : (tensor<2x5xf32>, tensor<2xi32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// Loss and gradient share the softmax.
// CHECK-LABEL: func.func @cross_entropy_grad
// CHECK-COUNT-1: math.exp
// CHECK-NOT: math.exp
// CHECK: return
func.func @cross_entropy_grad(%scores: tensor<2x5xf32>, %labels: tensor<2xi32>) -> (tensor<f32>, tensor<2x5xf32>) {
  %0 = tte.softmax_cross_entropy %scores, %labels : (tensor<2x5xf32>, tensor<2xi32>) -> tensor<f32>
  %1 = tte.softmax_cross_entropy_grad %scores, %labels : (tensor<2x5xf32>, tensor<2xi32>) -> tensor<2x5xf32>
  return %0, %1 : tensor<f32>, tensor<2x5xf32>
}

// CHECK-LABEL: func.func @squared_error
// CHECK: linalg.generic {{.*}}["reduction", "reduction"]
// CHECK: arith.mulf %[[D:.*]], %[[D]]
func.func @squared_error(%p: tensor<2x5xf32>, %t: tensor<2x5xf32>) -> tensor<f32> {
  %0 = tte.mean_squared_error %p, %t : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
