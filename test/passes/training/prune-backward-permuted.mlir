// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward)' | FileCheck %s
// Channels that were permuted: the update of the range that trains keeps the places of its elements
// in the original parameter; the stream of random numbers of a part is that of the original.

// CHECK: ml_program.global private @w({{.*}}) : tensor<2x2xf32>
// CHECK-SAME: tte.origin = #tte.origin<[4, 2], [0, 0]>
// CHECK-SAME: tte.places = [array<i64: 0, 2>, array<i64>]
ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32> {
  tte.origin = #tte.origin<[4, 2], [0, 0]>, tte.places = [array<i64: 3, 0, 2, 1>, array<i64>], tte.update = #tte.update<1, 2>}
ml_program.global private @v.1(dense<1.0> : tensor<2x3xf32>) : tensor<2x3xf32> {
  tte.origin = #tte.origin<[4, 3], [2, 0]>, tte.part_of = "v", tte.update = #tte.update<0, 2>}
ml_program.global private @v(dense<1.0> : tensor<2x3xf32>) : tensor<2x3xf32> {tte.update = #tte.update<0, 2>}

func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x3xf32> {
  %w = ml_program.global_load_const @w : tensor<4x2xf32>
  %v1 = ml_program.global_load_const @v.1 : tensor<2x3xf32>
  %v = ml_program.global_load_const @v : tensor<2x3xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  %1 = tte.dense %0 weights(%v1) : (tensor<1x2xf32>, tensor<2x3xf32>) -> tensor<1x3xf32>
  %2 = tte.dense %0 weights(%v) : (tensor<1x2xf32>, tensor<2x3xf32>) -> tensor<1x3xf32>
  %3 = tte.add %1, %2 : (tensor<1x3xf32>, tensor<1x3xf32>) -> tensor<1x3xf32>
  return %3 : tensor<1x3xf32>
}

// CHECK: func.func @train_step(%[[W:.*]]: tensor<2x2xf32> {tte.state = @w}, %[[V1:.*]]: tensor<2x3xf32> {tte.state = @v.1}, %[[V:.*]]: tensor<2x3xf32> {tte.state = @v}
// CHECK-DAG: tte.sgd %[[W]], {{.*}} origin <[4, 2], [0, 0]> {tte.places = [array<i64: 0, 2>, array<i64>]}
// CHECK-DAG: tte.sgd %[[V1]], {{.*}} stream [[STREAM:[-0-9]+]] origin <[4, 3], [2, 0]>
// CHECK-DAG: tte.sgd %[[V]], {{.*}} stream [[STREAM]] :
