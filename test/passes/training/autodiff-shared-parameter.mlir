// RUN: tte-opt %s --tte-autodiff | FileCheck %s
// A parameter that two layers share has one state and the sum of both gradients.

ml_program.global private @w(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w0 = ml_program.global_load_const @w : tensor<2x2xf32>
  %w1 = ml_program.global_load_const @w : tensor<2x2xf32>
  %0 = tte.dense %x weights(%w0) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = tte.dense %0 weights(%w1) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%[[W:.*]]: tensor<2x2xf32> {tte.state = @w}, %[[X:[^:]*]]: tensor<1x2xf32>,
// CHECK: %[[MID:.*]] = tte.dense %[[X]] weights(%[[W]])
// CHECK: %[[LAST:.*]] = tte.dense_weight_grad %[[MID]]
// CHECK: %[[FIRST:.*]] = tte.dense_weight_grad %[[X]]
// CHECK: %[[SUM:.*]] = tte.add %[[LAST]], %[[FIRST]]
// CHECK: tte.sgd %[[W]], %[[SUM]]
// CHECK-NOT: tte.sgd
