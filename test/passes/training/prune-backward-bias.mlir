// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward)' | FileCheck %s
// A bias trains without its weight: the gradient passes through later layers, but no weight
// gradient is computed and no activation is kept for one.

ml_program.global private @a.weight(dense<1.0> : tensor<4x3xf32>) : tensor<4x3xf32>
ml_program.global private @a.bias(dense<1.0> : tensor<3xf32>) : tensor<3xf32> {tte.update = #tte.update<0, 3>}
ml_program.global private @b.weight(dense<1.0> : tensor<3x2xf32>) : tensor<3x2xf32>

func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w0 = ml_program.global_load_const @a.weight : tensor<4x3xf32>
  %b0 = ml_program.global_load_const @a.bias : tensor<3xf32>
  %w1 = ml_program.global_load_const @b.weight : tensor<3x2xf32>
  %0 = tte.dense %x weights(%w0) bias(%b0) : (tensor<1x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<1x3xf32>
  %1 = tte.dense %0 weights(%w1) : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%[[B:.*]]: tensor<3xf32> {tte.state = @a.bias},
// CHECK-NOT: weight_grad
// CHECK: %[[SAFE:.*]]:2 = tte.check_finite
// CHECK-NEXT: %[[DX:.*]] = tte.dense_input_grad %[[SAFE]]#1
// CHECK-NEXT: %[[DB:.*]] = tte.bias_grad %[[DX]]
// CHECK-NEXT: %[[NEW:.*]] = tte.sgd %[[B]], %[[DB]]
// CHECK-NEXT: return %[[NEW]], %[[SAFE]]#0
