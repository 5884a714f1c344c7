// RUN: tte-opt %s --tte-autodiff | FileCheck %s
// The example of the pass.

ml_program.global private @"fc.weight"(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32>

// CHECK: func.func @forward(%[[W:.*]]: tensor<4x2xf32> {tte.state = @fc.weight}, %[[X:.*]]: tensor<1x4xf32> {tte.role = #tte.role<input>}) -> (tensor<1x2xf32> {tte.role = #tte.role<scores>}) {
// CHECK-NEXT: %[[Y:.*]] = tte.dense %[[X]] weights(%[[W]])
// CHECK-NEXT: return %[[Y]]
func.func @forward(%x: tensor<1x4xf32> {tte.role = #tte.role<input>}) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @"fc.weight" : tensor<4x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%[[W:.*]]: tensor<4x2xf32> {tte.state = @fc.weight}, %[[X:.*]]: tensor<1x4xf32> {tte.role = #tte.role<input>},
// CHECK-SAME: %[[LABEL:.*]]: tensor<1xi32> {tte.role = #tte.role<label>}, %[[RATE:.*]]: tensor<f32> {tte.role = #tte.role<learning_rate>}, %[[STEP:.*]]: tensor<i32> {tte.role = #tte.role<step>})
// CHECK-SAME: -> (tensor<4x2xf32> {tte.state = @fc.weight}, tensor<f32> {tte.role = #tte.role<loss>}, tensor<1x2xf32> {tte.role = #tte.role<scores>})
// CHECK-NEXT: %[[Y:.*]] = tte.dense %[[X]] weights(%[[W]])
// CHECK-NEXT: %[[LOSS:.*]] = tte.softmax_cross_entropy %[[Y]], %[[LABEL]]
// CHECK-NEXT: %[[DY:.*]] = tte.softmax_cross_entropy_grad %[[Y]], %[[LABEL]]
// CHECK-NEXT: %[[SAFE:.*]]:2 = tte.check_finite %[[LOSS]], %[[DY]]
// CHECK-NEXT: %[[DW:.*]] = tte.dense_weight_grad %[[X]], %[[SAFE]]#1
// CHECK-NEXT: %[[NEW:.*]] = tte.sgd %[[W]], %[[DW]] rate %[[RATE]] step %[[STEP]] nearest stream 1201223937
// CHECK-NEXT: return %[[NEW]], %[[SAFE]]#0, %[[Y]]
