// RUN: tte-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward)'

// expected-error@below {{'w' shall train channels [3, 5), expected a range within its 4 channels}}
ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.update = #tte.update<3, 2>}
func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<4x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32>
// expected-error@below {{'table' is marked with tte.update but is no state of @train_step}}
ml_program.global private @table(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.update = #tte.update<0, 4>}
func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<4x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32>
// expected-error@below {{'unused' is marked with tte.update but cannot train: the loss does not depend on it}}
ml_program.global private @unused(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.update = #tte.update<0, 4>}
func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<4x2xf32>
  %u = ml_program.global_load_const @unused : tensor<4x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  %1 = tte.dense %x weights(%u) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

ml_program.global private @w(dense<1.0> : tensor<1x1x2x4xf32>) : tensor<1x1x2x4xf32> {tte.update = #tte.update<0, 1>}
func.func @forward(%x: tensor<1x1x1x4xf32>) -> tensor<1x4xf32> {
  %w = ml_program.global_load_const @w : tensor<1x1x2x4xf32>
  // expected-error@below {{'tte.conv2d' op cannot read 'w' in parts, so that it trains as a whole or not at all}}
  %0 = tte.conv2d %x weights(%w) groups 2 : (tensor<1x1x1x4xf32>, tensor<1x1x2x4xf32>) -> tensor<1x1x1x4xf32>
  %1 = tte.reshape %0 : (tensor<1x1x1x4xf32>) -> tensor<1x4xf32>
  return %1 : tensor<1x4xf32>
}

// -----

ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32>
ml_program.global private @b(dense<1.0> : tensor<2xf32>) : tensor<2xf32> {tte.update = #tte.update<1, 1>}
func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<4x2xf32>
  %b = ml_program.global_load_const @b : tensor<2xf32>
  // expected-error@below {{'tte.dense' op cannot read 'b' in parts, so that it trains as a whole or not at all}}
  %0 = tte.dense %x weights(%w) bias(%b) : (tensor<1x4xf32>, tensor<4x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

// expected-error@below {{no parameter is marked with tte.update, so there is nothing to train}}
module {
  ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32>
  func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
    %w = ml_program.global_load_const @w : tensor<4x2xf32>
    %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
    return %0 : tensor<1x2xf32>
  }
}

// -----

// expected-error@below {{'w' needs a dense initial value to train in part}}
ml_program.global private @w(#ml_program.extern : tensor<4x2xf32>) : tensor<4x2xf32> {tte.update = #tte.update<0, 2>}
func.func @forward(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<4x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}
