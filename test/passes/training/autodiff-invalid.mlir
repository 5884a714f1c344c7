// RUN: tte-opt %s --split-input-file --verify-diagnostics --tte-autodiff

// expected-error@unknown {{'tensor.cast' op has no gradient, and parameters before it need one}}
ml_program.global private @w(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<2x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = tensor.cast %0 : tensor<1x2xf32> to tensor<1x2xf32> loc("features.3")
  return %1 : tensor<1x2xf32>
}

// -----

// expected-error@below {{@forward reads no parameters, so there is nothing to train}}
func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  return %x : tensor<1x2xf32>
}

// -----

// expected-error@below {{@forward must return scores (batch, classes) in f32, found '(tensor<2xf32>) -> tensor<2xf32>'}}
func.func @forward(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}

// -----

func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  return %x : tensor<1x2xf32>
}
// expected-error@below {{the module has a @train_step already}}
func.func private @train_step()

// -----

// expected-error@below {{the module has no function @forward to differentiate}}
module {
}
