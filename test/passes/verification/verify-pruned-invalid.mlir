// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-verify-stage{stage=pruned})' --split-input-file --verify-diagnostics

// expected-error @+2 {{'func.func' op state @w names no global}}
module {
func.func @train_step(%w: tensor<4xf32> {tte.state = @w}, %x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<4xf32> {tte.state = @w}, tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  return %w, %rate, %x : tensor<4xf32>, tensor<f32>, tensor<4xf32>
}
}

// -----

ml_program.global private @w(dense<0.5> : tensor<4xf32>) : tensor<4xf32>
// expected-error @+1 {{'func.func' op state @w does not train (tte.update)}}
func.func @train_step(%w: tensor<4xf32> {tte.state = @w}, %x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<4xf32> {tte.state = @w}, tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  return %w, %rate, %x : tensor<4xf32>, tensor<f32>, tensor<4xf32>
}

// -----

// expected-error @+1 {{'ml_program.global' op trains (tte.update), but no function takes it as state}}
ml_program.global private @w(dense<0.5> : tensor<4xf32>) : tensor<4xf32> {tte.update = #tte.update<0, 4>}
func.func @train_step(%x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  return %rate, %x : tensor<f32>, tensor<4xf32>
}
