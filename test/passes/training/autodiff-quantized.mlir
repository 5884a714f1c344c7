// RUN: tte-opt %s --tte-autodiff=seed=7 | FileCheck %s --check-prefixes=CHECK,STOCHASTIC
// RUN: tte-opt %s --tte-autodiff="seed=7 rounding=nearest" | FileCheck %s --check-prefixes=CHECK,NEAREST
// Parameters on a grid take the gradient of their stored integers; i32 biases round to nearest.

!activation = !quant.uniform<i8:f32, 0.5:3>
!weight = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>
!bias = !quant.uniform<i32<-2147354107:2147354107>:f32:0, {0.25, 0.125}>

ml_program.global private @"fc.weight"(dense<1> : tensor<4x2xi8>) : tensor<4x2x!weight>
ml_program.global private @"fc.bias"(dense<1> : tensor<2xi32>) : tensor<2x!bias>
func.func @forward(%x: tensor<1x4x!activation>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @"fc.weight" : tensor<4x2x!weight>
  %b = ml_program.global_load_const @"fc.bias" : tensor<2x!bias>
  %0 = tte.dense %x weights(%w) bias(%b) : (tensor<1x4x!activation>, tensor<4x2x!weight>, tensor<2x!bias>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// CHECK-LABEL: func.func @train_step
// CHECK-DAG: %[[DW:.*]] = tte.dense_weight_grad
// CHECK-DAG: %[[DB:.*]] = tte.bias_grad
// CHECK: %[[QW:.*]] = tte.scale_gradient %[[DW]] by scale of !weight to the 1
// STOCHASTIC: tte.sgd %{{.*}}, %[[QW]] rate %{{.*}} step %{{.*}} stochastic stream -761887137
// NEAREST: tte.sgd %{{.*}}, %[[QW]] rate %{{.*}} step %{{.*}} nearest stream -761887137
// CHECK: %[[QB:.*]] = tte.scale_gradient %[[DB]] by scale of !bias to the 1
// CHECK: tte.sgd %{{.*}}, %[[QB]] rate %{{.*}} step %{{.*}} nearest stream -1709034601
