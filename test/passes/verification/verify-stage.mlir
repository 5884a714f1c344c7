// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-verify-stage{stage=imported},tte-verify-stage{stage=autodiff},tte-verify-stage{stage=pruned},func.func(tte-fuse-update,tte-fuse-clamp-grad,tte-form-dispatches),tte-verify-stage{stage=dispatched},func.func(tte-schedule),tte-verify-stage{stage=dispatched},tte-plan-memory,tte-verify-stage{stage=planned})' | FileCheck %s

// A program that is right after every stage.
// CHECK: tte.call @kernels::@dense
ml_program.global private @w(dense<0.5> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.update = #tte.update<0, 4>}

func.func @forward(%w: tensor<4x2xf32> {tte.state = @w}, %x: tensor<1x4xf32> {tte.role = #tte.role<input>})
    -> (tensor<1x2xf32> {tte.role = #tte.role<scores>}) {
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

func.func @train_step(%w: tensor<4x2xf32> {tte.state = @w}, %x: tensor<1x4xf32> {tte.role = #tte.role<input>},
    %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<4x2xf32> {tte.state = @w}, tensor<f32> {tte.role = #tte.role<loss>}, tensor<1x2xf32> {tte.role = #tte.role<scores>}) {
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  %1 = tte.softmax_cross_entropy %0, %label : (tensor<1x2xf32>, tensor<1xi32>) -> tensor<f32>
  %2 = tte.softmax_cross_entropy_grad %0, %label : (tensor<1x2xf32>, tensor<1xi32>) -> tensor<1x2xf32>
  %3:2 = tte.check_finite %1, %2 : (tensor<f32>, tensor<1x2xf32>) -> (tensor<f32>, tensor<1x2xf32>)
  %4 = tte.dense_weight_grad %x, %3#1 : (tensor<1x4xf32>, tensor<1x2xf32>) -> tensor<4x2xf32>
  %5 = tte.sgd %w, %4 rate %rate step %step nearest stream 0 : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2xf32>
  return %5, %3#0, %0 : tensor<4x2xf32>, tensor<f32>, tensor<1x2xf32>
}
