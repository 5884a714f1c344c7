// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-plan-memory)' --split-input-file --verify-diagnostics

func.func @old_value_read_too_late(%w: tensor<4xf32> {tte.state = @w}) -> (tensor<4xf32> {tte.state = @w}, tensor<4xf32>) {
  // expected-error@unknown {{'tte.dispatch' op of layer 'conv' overwrites a value before its last reader; run tte-schedule}}
  %0 = tte.dispatch plain update (%a = %w : tensor<4xf32>) -> tensor<4xf32> tied [0] {
    %2 = tte.clamp %a <0.0, 6.0> : tensor<4xf32>
    tte.yield %2 : tensor<4xf32>
  } loc("conv")
  // expected-note@unknown {{reader of the old value, of layer 'head'}}
  %1 = tte.dispatch plain forward (%a = %w : tensor<4xf32>) -> tensor<4xf32> {
    %2 = tte.clamp %a <0.0, 5.0> : tensor<4xf32>
    tte.yield %2 : tensor<4xf32>
  } loc("head")
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// expected-error @+1 {{'func.func' op result 0 must be state @w updated in place}}
func.func @untied(%w: tensor<4xf32> {tte.state = @w}) -> (tensor<4xf32> {tte.state = @w}) {
  %0 = tte.dispatch plain update (%a = %w : tensor<4xf32>) -> tensor<4xf32> {
    %2 = tte.clamp %a <0.0, 6.0> : tensor<4xf32>
    tte.yield %2 : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%w: tensor<4xf32> {tte.state = @w}) -> tensor<4xf32> {
  return %w : tensor<4xf32>
}
// expected-error @+1 {{'func.func' op state @w must have type 'tensor<4xf32>', found 'tensor<5xf32>'}}
func.func @train_step(%w: tensor<5xf32> {tte.state = @w}) -> tensor<5xf32> {
  return %w : tensor<5xf32>
}
