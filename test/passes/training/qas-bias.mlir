// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-qas,canonicalize))' | FileCheck %s
// Biases scale by s_w * s_x, the scale of their own grid; a grid of one scale works alike.

!bias = !quant.uniform<i32<-1000:1000>:f32:0, {0.25, 0.125}>
!whole = !quant.uniform<i8:f32, 0.5>

// CHECK-LABEL: @bias
func.func @bias(%b: tensor<2x!bias>, %g: tensor<2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<2x!bias> {
  // CHECK: %[[SCALED:.*]] = tte.scale_gradient %{{.*}} by scale of !bias to the -1
  // CHECK-NEXT: tte.sgd %{{.*}}, %[[SCALED]]
  %0 = tte.scale_gradient %g by scale of !bias to the 1 : tensor<2xf32>
  %1 = tte.sgd %b, %0 rate %rate step %step nearest stream 7
    : (tensor<2x!bias>, tensor<2xf32>, tensor<f32>, tensor<i32>) -> tensor<2x!bias>
  return %1 : tensor<2x!bias>
}

// CHECK-LABEL: @per_tensor
func.func @per_tensor(%w: tensor<2x!whole>, %g: tensor<2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<2x!whole> {
  // CHECK: tte.scale_gradient %{{.*}} by scale of !activation to the -1
  %0 = tte.scale_gradient %g by scale of !whole to the 1 : tensor<2xf32>
  %1 = tte.sgd %w, %0 rate %rate step %step stochastic stream 7
    : (tensor<2x!whole>, tensor<2xf32>, tensor<f32>, tensor<i32>) -> tensor<2x!whole>
  return %1 : tensor<2x!whole>
}
