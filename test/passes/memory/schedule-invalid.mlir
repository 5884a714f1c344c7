// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-schedule))' --split-input-file --verify-diagnostics

func.func @no_dispatch(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'tte.clamp' must be in a tte.dispatch}}
  %0 = tte.clamp %x <0.0, 6.0> : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @overwritten_twice(%w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // expected-note @+1 {{the other dispatch}}
  %0 = tte.dispatch plain update (%a = %w : tensor<4xf32>) -> tensor<4xf32> tied [0] {
    %2 = tte.clamp %a <0.0, 6.0> : tensor<4xf32>
    tte.yield %2 : tensor<4xf32>
  }
  // expected-error @+1 {{'tte.dispatch' op overwrites a value that another dispatch overwrites}}
  %1 = tte.dispatch plain update (%a = %w : tensor<4xf32>) -> tensor<4xf32> tied [0] {
    %2 = tte.clamp %a <0.0, 5.0> : tensor<4xf32>
    tte.yield %2 : tensor<4xf32>
  }
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

ml_program.global private @c(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
func.func @constant() -> tensor<4xf32> {
  %0 = ml_program.global_load_const @c : tensor<4xf32>
  // expected-error @+1 {{'tte.dispatch' op overwrites a constant}}
  %1 = tte.dispatch plain update (%a = %0 : tensor<4xf32>) -> tensor<4xf32> tied [0] {
    %2 = tte.clamp %a <0.0, 6.0> : tensor<4xf32>
    tte.yield %2 : tensor<4xf32>
  }
  return %1 : tensor<4xf32>
}

// -----

// Each reads the old value of what the other overwrites.
func.func @no_order(%v: tensor<4xf32>, %w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // expected-error @+1 {{'tte.dispatch' op overwrites a state that is read by a dispatch that itself overwrites what this one reads}}
  %0 = tte.dispatch plain update (%a = %v : tensor<4xf32>, %b = %w : tensor<4xf32>) -> tensor<4xf32> tied [0] {
    %2 = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    tte.yield %2 : tensor<4xf32>
  }
  %1 = tte.dispatch plain update (%a = %v : tensor<4xf32>, %b = %w : tensor<4xf32>) -> tensor<4xf32> tied [1] {
    %2 = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    tte.yield %2 : tensor<4xf32>
  }
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
