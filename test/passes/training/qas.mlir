// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-qas,canonicalize))' | FileCheck %s
// RUN: mlir-opt --load-dialect-plugin=%tte_plugin --load-pass-plugin=%tte_plugin %s --pass-pipeline='builtin.module(func.func(tte-qas))' | FileCheck %s --check-prefix=UNFOLDED

!weight = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

// CHECK-LABEL: @quantized
// UNFOLDED-LABEL: @quantized
func.func @quantized(%w: tensor<4x2x!weight>, %g: tensor<4x2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<4x2x!weight> {
  // CHECK: %[[SCALED:.*]] = tte.scale_gradient %{{.*}} by scale of !weight to the -1 : tensor<4x2xf32>
  // CHECK-NEXT: tte.sgd %{{.*}}, %[[SCALED]]
  // UNFOLDED: to the 1 :
  // UNFOLDED: to the -2 :
  %0 = tte.scale_gradient %g by scale of !weight to the 1 : tensor<4x2xf32>
  %1 = tte.sgd %w, %0 rate %rate step %step stochastic stream 7
    : (tensor<4x2x!weight>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2x!weight>
  return %1 : tensor<4x2x!weight>
}

// CHECK-LABEL: @real
func.func @real(%w: tensor<4xf32>, %g: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<4xf32> {
  // CHECK-NOT: tte.scale_gradient
  %0 = tte.sgd %w, %g rate %rate step %step nearest stream 7
    : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
