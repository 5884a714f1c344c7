// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward)' | FileCheck %s
// Only the last layer trains: the rest is frozen, and no gradient reaches beyond it.

ml_program.global private @first.weight(dense<1.0> : tensor<4x3xf32>) : tensor<4x3xf32>
ml_program.global private @first.bias(dense<1.0> : tensor<3xf32>) : tensor<3xf32>
ml_program.global private @last.weight(dense<1.0> : tensor<3x2xf32>) : tensor<3x2xf32> {tte.update = #tte.update<0, 3>}
ml_program.global private @last.bias(dense<1.0> : tensor<2xf32>) : tensor<2xf32> {tte.update = #tte.update<0, 2>}

// CHECK: func.func @forward(%{{.*}}: tensor<3x2xf32> {tte.state = @last.weight}, %{{.*}}: tensor<2xf32> {tte.state = @last.bias}, %{{.*}}: tensor<1x4xf32>)
// CHECK-DAG: ml_program.global_load_const @first.weight
// CHECK-DAG: ml_program.global_load_const @first.bias
func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w0 = ml_program.global_load_const @first.weight : tensor<4x3xf32>
  %b0 = ml_program.global_load_const @first.bias : tensor<3xf32>
  %w1 = ml_program.global_load_const @last.weight : tensor<3x2xf32>
  %b1 = ml_program.global_load_const @last.bias : tensor<2xf32>
  %0 = tte.dense %x weights(%w0) bias(%b0) clamp <0.0, inf> : (tensor<1x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<1x3xf32>
  %1 = tte.dense %0 weights(%w1) bias(%b1) : (tensor<1x3xf32>, tensor<3x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%[[W:.*]]: tensor<3x2xf32> {tte.state = @last.weight}, %[[B:.*]]: tensor<2xf32> {tte.state = @last.bias}, %[[X:[^:]*]]: tensor<1x4xf32>
// CHECK-SAME: -> (tensor<3x2xf32> {tte.state = @last.weight}, tensor<2xf32> {tte.state = @last.bias}, tensor<f32> {{{.*}}}, tensor<1x2xf32> {{{.*}}})
// CHECK-DAG: ml_program.global_load_const @first.weight
// CHECK-DAG: ml_program.global_load_const @first.bias
// CHECK-NEXT: tte.dense %[[X]]
// CHECK-NEXT: tte.dense
// CHECK-NEXT: tte.softmax_cross_entropy
// CHECK-NEXT: tte.softmax_cross_entropy_grad
// CHECK-NEXT: tte.check_finite
// CHECK-NEXT: tte.dense_weight_grad
// CHECK-NEXT: tte.bias_grad
// CHECK-NEXT: tte.sgd
// CHECK-NEXT: tte.sgd
// CHECK-NEXT: return
