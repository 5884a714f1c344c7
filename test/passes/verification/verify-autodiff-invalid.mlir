// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-verify-stage{stage=autodiff})' --split-input-file --verify-diagnostics

// expected-error @+1 {{must have a function @train_step}}
module {
}

// -----

// expected-error @+1 {{'func.func' op must have one argument of role label, found 0}}
func.func @train_step(%x: tensor<4xf32> {tte.role = #tte.role<input>}) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'func.func' op must have one result of role loss, found 0}}
func.func @train_step(%x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<4xf32> {tte.role = #tte.role<scores>}) {
  return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'func.func' op must return the new value of state @w}}
func.func @train_step(%w: tensor<4xf32> {tte.state = @w}, %x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  return %rate, %x : tensor<f32>, tensor<4xf32>
}

// -----

// expected-error @+1 {{'func.func' op result 0 must be an update of state @w}}
func.func @train_step(%w: tensor<4xf32> {tte.state = @w}, %x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<4xf32> {tte.state = @w}, tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  return %x, %rate, %x : tensor<4xf32>, tensor<f32>, tensor<4xf32>
}

// -----

func.func @train_step(%w: tensor<4xf32> {tte.state = @w}, %x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<4xf32> {tte.state = @w}, tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  // expected-error @+1 {{'tte.sgd' op updates state @w without a tte.check_finite before}}
  %0 = tte.sgd %w, %x rate %rate step %step nearest stream 0 : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return %0, %rate, %x : tensor<4xf32>, tensor<f32>, tensor<4xf32>
}
