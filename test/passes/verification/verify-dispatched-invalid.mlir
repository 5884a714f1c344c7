// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-verify-stage{stage=dispatched})' --split-input-file --verify-diagnostics

func.func @train_step(%x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  // expected-error @+1 {{'tte.clamp' op must be in a tte.dispatch}}
  %0 = tte.clamp %x <0.0, 6.0> : tensor<4xf32>
  return %rate, %0 : tensor<f32>, tensor<4xf32>
}

// -----

func.func @train_step(%x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  %0 = tte.dispatch plain forward (%a = %x : tensor<4xf32>) -> tensor<4xf32> {
    // expected-error @+1 {{'tte.check_finite' op must not be in a tte.dispatch}}
    %1 = tte.check_finite %a : (tensor<4xf32>) -> tensor<4xf32>
    tte.yield %1 : tensor<4xf32>
  }
  return %rate, %0 : tensor<f32>, tensor<4xf32>
}

// -----

func.func @train_step(%x: tensor<4xf32> {tte.role = #tte.role<input>}, %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<f32> {tte.role = #tte.role<loss>}, tensor<4xf32> {tte.role = #tte.role<scores>}) {
  // expected-error @+1 {{'tte.dispatch' op yields the new value of a state and must tie it to the old}}
  %0 = tte.dispatch plain update (%a = %x : tensor<4xf32>, %r = %rate : tensor<f32>, %s = %step : tensor<i32>) -> tensor<4xf32> {
    %1 = tte.sgd %a, %a rate %r step %s nearest stream 0 : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
    tte.yield %1 : tensor<4xf32>
  }
  return %rate, %0 : tensor<f32>, tensor<4xf32>
}
