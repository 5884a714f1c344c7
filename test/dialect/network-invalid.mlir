// RUN: tte-opt %s --split-input-file --verify-diagnostics

// Elementwise ops, pools, and ops that change the shape.

func.func @add_shapes(%a: tensor<2x3xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{rhs must have shape (2, 3), found 'tensor<3xf32>'}}
  %0 = tte.add %a, %b : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @add_result(%a: tensor<2x3xf32>) {
  // expected-error @+1 {{result must have shape (2, 3), found 'tensor<6xf32>'}}
  %0 = tte.add %a, %a : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<6xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>

func.func @add_mixed(%a: tensor<3xf32>, %b: tensor<3x!x>) {
  // expected-error @+1 {{operands and result must all be f32 or all quantized}}
  %0 = tte.add %a, %b : (tensor<3xf32>, tensor<3x!x>) -> tensor<3xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32:0, {0.5, 0.25, 0.5}>

func.func @add_per_axis(%a: tensor<3x!x>) {
  // expected-error @+1 {{quantized operands must be i8 with one scale a tensor}}
  %0 = tte.add %a, %a : (tensor<3x!x>, tensor<3x!x>) -> tensor<3x!x>
  return
}

// -----

!x = !quant.uniform<i32:f32, 0.5>

func.func @add_wide(%a: tensor<3x!x>) {
  // expected-error @+1 {{quantized operands must be i8 with one scale a tensor}}
  %0 = tte.add %a, %a : (tensor<3x!x>, tensor<3x!x>) -> tensor<3x!x>
  return
}

// -----

func.func @pool_kernel(%x: tensor<1x8x8x4xf32>) {
  // expected-error @+1 {{kernel needs 2 numbers, found 1}}
  %0 = tte.avg_pool2d %x kernel [2] : (tensor<1x8x8x4xf32>) -> tensor<1x7x7x4xf32>
  return
}

// -----

func.func @pool_channels(%x: tensor<1x8x8x4xf32>) {
  // expected-error @+1 {{channels must stay 4, found 5}}
  %0 = tte.max_pool2d %x kernel [2, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x7x7x5xf32>
  return
}

// -----

func.func @pool_padding(%x: tensor<1x8x8x4xf32>) {
  // expected-error @+1 {{padding must be less than the kernel 2, so that no window lies outside the input}}
  %0 = tte.max_pool2d %x kernel [2, 2] padding [0, 0, 2, 0] : (tensor<1x8x8x4xf32>) -> tensor<1x7x9x4xf32>
  return
}

// -----

func.func @pool_shape(%x: tensor<1x8x8x4xf32>) {
  // expected-error @+1 {{output must have shape (1, 4, 4, 4), found 'tensor<1x4x7x4xf32>'}}
  %0 = tte.avg_pool2d %x kernel [2, 2] strides [2, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x4x7x4xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!y = !quant.uniform<i8:f32, 0.5:4>

func.func @pool_type(%x: tensor<1x8x8x4x!x>) {
  // expected-error @+1 {{element type must stay '!quant.uniform<i8:f32, 5.000000e-01:3>', found '!quant.uniform<i8:f32, 5.000000e-01:4>'}}
  %0 = tte.avg_pool2d %x kernel [2, 2] : (tensor<1x8x8x4x!x>) -> tensor<1x7x7x4x!y>
  return
}

// -----

func.func @clamp_bounds(%x: tensor<4xf32>) {
  // expected-error @+1 {{minimum 6.000000e+00 is above maximum 0.000000e+00}}
  %0 = tte.clamp %x <6.0, 0.0> : tensor<4xf32>
  return
}

// -----

func.func @reshape_elements(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{must keep 6 elements, found 5}}
  %0 = tte.reshape %x : (tensor<2x3xf32>) -> tensor<5xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>

func.func @reshape_type(%x: tensor<2x3x!x>) {
  // expected-error @+1 {{element type must stay '!quant.uniform<i8:f32, 5.000000e-01:3>', found 'f32'}}
  %0 = tte.reshape %x : (tensor<2x3x!x>) -> tensor<6xf32>
  return
}

// -----

!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @reshape_axis(%x: tensor<3x2x!w>) {
  // expected-error @+1 {{must keep dimension 1, along which the type is quantized}}
  %0 = tte.reshape %x : (tensor<3x2x!w>) -> tensor<6x1x!w>
  return
}

// -----

func.func @slice_rank(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{result must have rank 2, found 'tensor<3xf32>'}}
  %0 = tte.slice %x offsets [0, 0] : (tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @slice_offsets(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{needs 2 offsets, found 1}}
  %0 = tte.slice %x offsets [0] : (tensor<2x3xf32>) -> tensor<1x3xf32>
  return
}

// -----

func.func @slice_box(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{box [2, 4) leaves dimension 1 of size 3}}
  %0 = tte.slice %x offsets [0, 2] : (tensor<2x3xf32>) -> tensor<1x2xf32>
  return
}

// -----

!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25, 0.125}>
!v = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @slice_keeps_stale_scales(%x: tensor<3x3x!w>) {
  // expected-error @+1 {{element type of the result must be '!quant.uniform<i8<-127:127>:f32:1, {2.500000e-01,1.250000e-01}>', found '!quant.uniform<i8<-127:127>:f32:1, {5.000000e-01,2.500000e-01}>'}}
  %0 = tte.slice %x offsets [0, 1] : (tensor<3x3x!w>) -> tensor<3x2x!v>
  return
}

// -----

func.func @permutation(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{permutation must name each of the 2 dimensions once}}
  %0 = tte.permute %x [0, 0] : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @permuted_shape(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{result must have shape (3, 2), found 'tensor<2x3xf32>'}}
  %0 = tte.permute %x [1, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @permute_keeps_stale_axis(%x: tensor<2x2x!w>) {
  // expected-error @+1 {{element type of the result must be '!quant.uniform<i8<-127:127>:f32:0, {5.000000e-01,2.500000e-01}>'}}
  %0 = tte.permute %x [1, 0] : (tensor<2x2x!w>) -> tensor<2x2x!w>
  return
}

// -----

!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @quantize_per_axis(%x: tensor<2x2xf32>) {
  // expected-error @+1 {{needs one scale a tensor}}
  %0 = tte.quantize %x : (tensor<2x2xf32>) -> tensor<2x2x!w>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>

func.func @quantize_shape(%x: tensor<2x2xf32>) {
  // expected-error @+1 {{result must have shape (2, 2), found 'tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>>'}}
  %0 = tte.quantize %x : (tensor<2x2xf32>) -> tensor<4x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>

func.func @dequantize_shape(%x: tensor<2x2x!x>) {
  // expected-error @+1 {{result must have shape (2, 2), found 'tensor<4xf32>'}}
  %0 = tte.dequantize %x : (tensor<2x2x!x>) -> tensor<4xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>

func.func @quantize_twice(%x: tensor<2x!x>) {
  // expected-error @+1 {{operand #0 must be statically shaped tensor of f32}}
  %0 = tte.quantize %x : (tensor<2x!x>) -> tensor<2x!x>
  return
}
