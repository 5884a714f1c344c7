// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward)' | FileCheck %s
// The example of the pass: a range of input channels of a dense layer trains.

// CHECK: ml_program.global private @w(dense<{{\[\[}}3.000000e+00, 4.000000e+00], [5.000000e+00, 6.000000e+00]]>
// CHECK-SAME: : tensor<2x2xf32> {tte.origin = #tte.origin<[4, 2], [1, 0]>, tte.update = #tte.update<0, 2>}
// CHECK-DAG: ml_program.global private @w.before(dense<{{\[\[}}1.000000e+00, 2.000000e+00]]> : tensor<1x2xf32>)
// CHECK-DAG: ml_program.global private @w.after(dense<{{\[\[}}7.000000e+00, 8.000000e+00]]> : tensor<1x2xf32>)
ml_program.global private @w(dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.update = #tte.update<1, 2>}

// CHECK: func.func @forward(%[[W:.*]]: tensor<2x2xf32> {tte.state = @w}, %[[X:.*]]: tensor<1x4xf32>)
// CHECK-DAG: %[[BEFORE:.*]] = ml_program.global_load_const @w.before : tensor<1x2xf32>
// CHECK-DAG: %[[AFTER:.*]] = ml_program.global_load_const @w.after : tensor<1x2xf32>
// CHECK: tte.dense %[[X]] weights(%[[BEFORE]], %[[W]], %[[AFTER]])
func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<4x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%[[W:.*]]: tensor<2x2xf32> {tte.state = @w}, %[[X:[^:]*]]: tensor<1x4xf32>
// CHECK-SAME: -> (tensor<2x2xf32> {tte.state = @w}, tensor<f32>
// CHECK: tte.dense %[[X]] weights(%{{[^ ]*}}, %[[W]], %{{[^ ]*}})
// CHECK: %[[DW:.*]] = tte.dense_weight_grad %[[X]], %{{.*}} offset 1 : (tensor<1x4xf32>, tensor<1x2xf32>) -> tensor<2x2xf32>
// CHECK-NOT: tte.slice
// CHECK: tte.sgd %[[W]], %[[DW]] {{.*}} origin <[4, 2], [1, 0]>
