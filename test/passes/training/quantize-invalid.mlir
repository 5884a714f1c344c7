// RUN: tte-opt %s --split-input-file --verify-diagnostics --tte-quantize

// expected-error@below {{argument 0 of @forward has no calibrated range (tte.range); run the calibration first}}
func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<4xf32> {
  // expected-error@below {{'tte.add' op has no calibrated range (tte.range)}}
  %0 = tte.add %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error@unknown {{'tte.add' op has no calibrated range (tte.range)}}
func.func @forward(%x: tensor<4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<4xf32> {
  %0 = tte.add %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("features.3.conv")
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<4xf32> {
  // expected-error@below {{'tte.add' op has the calibrated range #tte.range<0.0, inf>, which is not finite}}
  %0 = tte.add %x, %x {tte.range = #tte.range<0.0, inf>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error@below {{argument 0 of @forward must be a tensor of f32 to be quantized, found 'tensor<4xi32>'}}
func.func @forward(%x: tensor<4xi32>) -> tensor<4xi32> {
  return %x : tensor<4xi32>
}

// -----

ml_program.global private @offset(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
func.func @forward(%x: tensor<4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<4xf32> {
  %p = ml_program.global_load_const @offset : tensor<4xf32>
  // expected-error@below {{'tte.add' op reads a parameter as an activation; only weights and biases of layers can be quantized}}
  %0 = tte.add %x, %p {tte.range = #tte.range<0.0, 1.0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<1x4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x1xf32> {
  %w = tte.reshape %x : (tensor<1x4xf32>) -> tensor<4x1xf32>
  // expected-error@below {{'tte.dense' op weight must be a parameter (ml_program.global)}}
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// -----

ml_program.global private @weight(dense<0x7FC00000> : tensor<4x1xf32>) : tensor<4x1xf32>
func.func @forward(%x: tensor<1x4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x1xf32> {
  %w = ml_program.global_load_const @weight : tensor<4x1xf32>
  // expected-error@below {{'tte.dense' op weight 'weight' holds a value that is not finite}}
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// -----

ml_program.global private @weight(dense<1.0> : tensor<66312x1xf32>) : tensor<66312x1xf32>
func.func @forward(%x: tensor<1x66312xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x1xf32> {
  %w = ml_program.global_load_const @weight : tensor<66312x1xf32>
  // expected-error@below {{'tte.dense' op sums 66312 products an output, but more than 66311 may overflow the 32-bit accumulator}}
  %0 = tte.dense %x weights(%w) : (tensor<1x66312xf32>, tensor<66312x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// -----

ml_program.global private @weight(dense<1.0> : tensor<1x1xf32>) : tensor<1x1xf32>
ml_program.global private @bias(dense<1.0> : tensor<1xf32>) : tensor<1xf32>
func.func @forward(%x: tensor<1x1xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x1xf32> {
  %w = ml_program.global_load_const @weight : tensor<1x1xf32>
  %b = ml_program.global_load_const @bias : tensor<1xf32>
  %0 = tte.dense %x weights(%w) bias(%b) {tte.range = #tte.range<0.0, 2.0>} : (tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xf32>) -> tensor<1x1xf32>
  // expected-error@below {{'tte.dense' op shares the parameter 'bias' with a layer that quantizes it by other scales}}
  %1 = tte.dense %0 weights(%w) bias(%b) : (tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xf32>) -> tensor<1x1xf32>
  return %1 : tensor<1x1xf32>
}

// -----

// expected-error@below {{the module has no function @forward to quantize}}
module {
}

// -----

func.func @forward(%x: tensor<4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<4xf32> {
  // expected-error@below {{'tensor.cast' op cannot be quantized}}
  %0 = tensor.cast %x : tensor<4xf32> to tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

ml_program.global private @weight(#ml_program.extern : tensor<4x1xf32>) : tensor<4x1xf32>
func.func @forward(%x: tensor<1x4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x1xf32> {
  %w = ml_program.global_load_const @weight : tensor<4x1xf32>
  // expected-error@below {{'tte.dense' op weight 'weight' must have a dense initial value of f32}}
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// -----

ml_program.global private @weight(dense<1.0> : tensor<2x1xf32>) : tensor<2x1xf32>
func.func @forward(%x: tensor<1x4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x1xf32> {
  %w = ml_program.global_load_const @weight : tensor<2x1xf32>
  // expected-error@below {{'tte.dense' op needs its weight in one part to be quantized, found 2}}
  %0 = tte.dense %x weights(%w, %w) : (tensor<1x4xf32>, tensor<2x1xf32>, tensor<2x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}
