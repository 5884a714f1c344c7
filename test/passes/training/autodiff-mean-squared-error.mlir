// RUN: tte-opt %s --tte-autodiff=loss=mean_squared_error | FileCheck %s
// Labels become one-hot targets; the batch may hold several images.

ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32>
func.func @forward(%x: tensor<3x4xf32> {tte.role = #tte.role<input>}) -> tensor<3x2xf32> {
  %w = ml_program.global_load_const @w : tensor<4x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// CHECK-LABEL: func.func @train_step
// CHECK-SAME: %[[LABELS:[^:]*]]: tensor<3xi32> {tte.role = #tte.role<label>}
// CHECK: %[[Y:.*]] = tte.dense
// CHECK: %[[TARGET:.*]] = tte.one_hot %[[LABELS]] : (tensor<3xi32>) -> tensor<3x2xf32>
// CHECK: %[[LOSS:.*]] = tte.mean_squared_error %[[Y]], %[[TARGET]]
// CHECK: %[[DY:.*]] = tte.mean_squared_error_grad %[[Y]], %[[TARGET]]
// CHECK: tte.check_finite %[[LOSS]], %[[DY]]
