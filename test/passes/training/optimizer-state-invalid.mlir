// RUN: tte-opt %s -split-input-file -verify-diagnostics --tte-momentum

func.func @train_step(%w: tensor<2xf32>, %g: tensor<2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> tensor<2xf32> {
  // expected-error @+1 {{must update a state of @train_step to keep one of its optimizer}}
  %0 = tte.sgd %w, %g rate %rate step %step nearest stream 8 : (tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<i32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

ml_program.global private @w(dense<1.0> : tensor<2xf32>) : tensor<2xf32>
// expected-error @+1 {{has the name 'w.velocity' of the optimizer state of 'w'}}
ml_program.global private @w.velocity(dense<1.0> : tensor<2xf32>) : tensor<2xf32>
func.func @train_step(%w: tensor<2xf32> {tte.state = @w}, %g: tensor<2xf32>, %rate: tensor<f32>, %step: tensor<i32>) -> (tensor<2xf32> {tte.state = @w}) {
  %0 = tte.sgd %w, %g rate %rate step %step nearest stream 8 : (tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<i32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
