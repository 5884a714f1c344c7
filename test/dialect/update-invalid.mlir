// RUN: tte-opt %s -split-input-file -verify-diagnostics

!w = !quant.uniform<i8<-127:127>:f32, 0.1>
func.func @no_residual(%w: tensor<4x!w>, %g: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{rounds residual and has no residual}}
  %0 = tte.sgd %w, %g rate %rate step %step residual stream 0 : (tensor<4x!w>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4x!w>
  return
}

// -----

!w = !quant.uniform<i8<-127:127>:f32, 0.1>
func.func @unused_residual(%w: tensor<4x!w>, %low: tensor<4xi8>, %g: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{rounds nearest and has a residual}}
  %0 = tte.sgd %w, %g rate %rate step %step nearest stream 0 low %low bits 4 : (tensor<4x!w>, tensor<4xf32>, tensor<f32>, tensor<i32>, tensor<4xi8>) -> tensor<4x!w>
  return
}

// -----

!w = !quant.uniform<i8<-127:127>:f32, 0.1>
func.func @bits(%w: tensor<4x!w>, %low: tensor<4xi8>, %g: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{a residual has 2 to 8 bits, found 9}}
  %0 = tte.sgd %w, %g rate %rate step %step residual stream 0 low %low bits 9 : (tensor<4x!w>, tensor<4xf32>, tensor<f32>, tensor<i32>, tensor<4xi8>) -> tensor<4x!w>
  return
}

// -----

!w = !quant.uniform<i8<-127:127>:f32, 0.1>
func.func @residual_shape(%w: tensor<4x!w>, %low: tensor<3xi8>, %g: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{residual must have shape (4), found 'tensor<3xi8>'}}
  %0 = tte.sgd_residual %w low %low bits 4, %g rate %rate step %step : (tensor<4x!w>, tensor<3xi8>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<3xi8>
  return
}

// -----

!b = !quant.uniform<i32<-1000:1000>:f32, 0.1>
func.func @wide(%b: tensor<4x!b>, %low: tensor<4xi8>, %g: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{only parameters of 8 bits keep a residual, found}}
  %0 = tte.sgd_residual %b low %low bits 4, %g rate %rate step %step : (tensor<4x!b>, tensor<4xi8>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xi8>
  return
}

// -----

func.func @period(%w: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{period must be a positive number of steps, found 0}}
  %0 = tte.sgd %w, %w rate %rate step %step nearest stream 0 every 0 : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

func.func @factor(%v: tensor<4xf32>, %step: tensor<i32>) {
  // expected-error @+1 {{factor must lie between 0 and 1, found 1.0}}
  %0 = tte.momentum %v, %v factor 1.0 step %step : (tensor<4xf32>, tensor<4xf32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

func.func @batch(%v: tensor<4xf32>, %step: tensor<i32>) {
  // expected-error @+1 {{batch must be a positive number of steps, found -2}}
  %0 = tte.accumulate %v, %v step %step batch -2 : (tensor<4xf32>, tensor<4xf32>, tensor<i32>) -> tensor<4xf32>
  return
}
