// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward)' | FileCheck %s
// The range of a shared parameter gets the sum of two narrow gradients.

ml_program.global private @w(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32> {tte.update = #tte.update<1, 1>}
func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<2x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = tte.dense %0 weights(%w) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%[[W:.*]]: tensor<1x2xf32> {tte.state = @w}, %[[X:[^:]*]]: tensor<1x2xf32>
// CHECK: %[[KEPT:.*]] = tte.slice %{{.*}} offsets [0, 1]
// CHECK-DAG: %[[FIRST:.*]] = tte.dense_weight_grad %[[X]], %{{.*}} offset 1 : {{.*}} -> tensor<1x2xf32>
// CHECK-DAG: %[[LAST:.*]] = tte.dense_weight_grad %[[KEPT]], %{{.*}} : {{.*}} -> tensor<1x2xf32>
// CHECK: tte.add %[[LAST]], %[[FIRST]]
