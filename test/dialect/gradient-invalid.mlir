// RUN: tte-opt %s --split-input-file --verify-diagnostics

// Losses and gradients.

func.func @labels(%scores: tensor<2x5xf32>, %labels: tensor<3xi32>) {
  // expected-error @+1 {{labels must have shape (2), found 'tensor<3xi32>'}}
  %0 = tte.softmax_cross_entropy %scores, %labels : (tensor<2x5xf32>, tensor<3xi32>) -> tensor<f32>
  return
}

// -----

func.func @scores(%scores: tensor<5xf32>, %labels: tensor<1xi32>) {
  // expected-error @+1 {{scores must have rank 2, found 'tensor<5xf32>'}}
  %0 = tte.softmax_cross_entropy_grad %scores, %labels : (tensor<5xf32>, tensor<1xi32>) -> tensor<5xf32>
  return
}

// -----

func.func @label_type(%labels: tensor<2xi64>) {
  // expected-error @+1 {{operand #0 must be one-dimensional tensor of i32, but got 'tensor<2xi64>'}}
  %0 = tte.one_hot %labels : (tensor<2xi64>) -> tensor<2x5xf32>
  return
}

// -----

func.func @loss_shape(%a: tensor<2x5xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{failed to verify that all of {prediction, target} have same type}}
  %0 = tte.mean_squared_error %a, %b : (tensor<2x5xf32>, tensor<2x4xf32>) -> tensor<f32>
  return
}

// -----

func.func @quantized_gradient(%g: tensor<4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{operand #0 must be statically shaped tensor of f32}}
  %0 = tte.bias_grad %g : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4xf32>
  return
}

// -----

func.func @input_gradient_weight(%g: tensor<1x6x6x4xf32>, %w: tensor<3x3x2x4xf32>) {
  // expected-error @+1 {{weight must have 3 input and 4 output channels, found 2 and 4}}
  %0 = tte.conv2d_input_grad %g weights(%w) : (tensor<1x6x6x4xf32>, tensor<3x3x2x4xf32>) -> tensor<1x8x8x3xf32>
  return
}

// -----

func.func @input_gradient_shape(%g: tensor<1x6x6x4xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{output must have shape (1, 7, 7, 4), found 'tensor<1x6x6x4xf32>'}}
  %0 = tte.conv2d_input_grad %g weights(%w) : (tensor<1x6x6x4xf32>, tensor<3x3x3x4xf32>) -> tensor<1x9x9x3xf32>
  return
}

// -----

func.func @weight_gradient_range(%x: tensor<1x8x8x3xf32>, %g: tensor<1x6x6x4xf32>) {
  // expected-error @+1 {{channels [2, 4) leave the 3 channels of the weight}}
  %0 = tte.conv2d_weight_grad %x, %g offset 2 : (tensor<1x8x8x3xf32>, tensor<1x6x6x4xf32>) -> tensor<3x3x2x4xf32>
  return
}

// -----

func.func @weight_gradient_groups(%x: tensor<1x8x8x3xf32>, %g: tensor<1x6x6x4xf32>) {
  // expected-error @+1 {{2 groups must divide 3 input and 4 output channels}}
  %0 = tte.conv2d_weight_grad %x, %g groups 2 : (tensor<1x8x8x3xf32>, tensor<1x6x6x4xf32>) -> tensor<3x3x2x4xf32>
  return
}

// -----

func.func @weight_gradient_range_of_a_group(%x: tensor<1x8x8x4xf32>, %g: tensor<1x6x6x4xf32>) {
  // expected-error @+1 {{a range of channels needs an ungrouped or depthwise convolution, found 2 groups}}
  %0 = tte.conv2d_weight_grad %x, %g groups 2 offset 1 : (tensor<1x8x8x4xf32>, tensor<1x6x6x4xf32>) -> tensor<3x3x1x4xf32>
  return
}

// -----

func.func @weight_gradient_shape(%x: tensor<1x8x8x3xf32>, %g: tensor<1x6x6x4xf32>) {
  // expected-error @+1 {{result must have shape (3, 3, 3, 4), found 'tensor<3x3x3x5xf32>'}}
  %0 = tte.conv2d_weight_grad %x, %g : (tensor<1x8x8x3xf32>, tensor<1x6x6x4xf32>) -> tensor<3x3x3x5xf32>
  return
}

// -----

func.func @dense_input_gradient(%g: tensor<2x4xf32>, %w: tensor<5x4xf32>) {
  // expected-error @+1 {{weight must have shape (6, 4) over all parts, found first part 'tensor<5x4xf32>'}}
  %0 = tte.dense_input_grad %g weights(%w) : (tensor<2x4xf32>, tensor<5x4xf32>) -> tensor<2x6xf32>
  return
}

// -----

func.func @dense_weight_gradient_range(%x: tensor<2x6xf32>, %g: tensor<2x4xf32>) {
  // expected-error @+1 {{channels [3, 7) leave the 6 channels of the weight}}
  %0 = tte.dense_weight_grad %x, %g offset 3 : (tensor<2x6xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
  return
}

// -----

func.func @dense_weight_gradient_batch(%x: tensor<2x6xf32>, %g: tensor<3x4xf32>) {
  // expected-error @+1 {{gradient must have shape (2, 4), found 'tensor<3x4xf32>'}}
  %0 = tte.dense_weight_grad %x, %g : (tensor<2x6xf32>, tensor<3x4xf32>) -> tensor<6x4xf32>
  return
}

// -----

func.func @bias_gradient_scalar(%g: tensor<f32>) {
  // expected-error @+1 {{gradient must have a channel dimension, found 'tensor<f32>'}}
  %0 = tte.bias_grad %g : (tensor<f32>) -> tensor<1xf32>
  return
}

// -----

func.func @bias_gradient_shape(%g: tensor<2x4xf32>) {
  // expected-error @+1 {{result must have shape (4), found 'tensor<2xf32>'}}
  %0 = tte.bias_grad %g : (tensor<2x4xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @average_pool_gradient(%g: tensor<1x4x4x3xf32>) {
  // expected-error @+1 {{output must have shape (1, 3, 3, 3), found 'tensor<1x4x4x3xf32>'}}
  %0 = tte.avg_pool2d_grad %g kernel [2, 2] strides [2, 2] : (tensor<1x4x4x3xf32>) -> tensor<1x6x6x3xf32>
  return
}

// -----

func.func @max_pool_gradient(%x: tensor<1x8x8x3xf32>, %g: tensor<1x4x4x3xf32>) {
  // expected-error @+1 {{result must have shape (1, 8, 8, 3), found 'tensor<1x8x7x3xf32>'}}
  %0 = tte.max_pool2d_grad %x, %g kernel [2, 2] strides [2, 2] : (tensor<1x8x8x3xf32>, tensor<1x4x4x3xf32>) -> tensor<1x8x7x3xf32>
  return
}

// -----

func.func @clamp_gradient(%g: tensor<4xf32>, %y: tensor<5xf32>) {
  // expected-error @+1 {{output must have shape (4), found 'tensor<5xf32>'}}
  %0 = tte.clamp_grad %g, %y <0.0, 6.0> : (tensor<4xf32>, tensor<5xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @mask_size(%y: tensor<9xf32>) {
  // expected-error @+1 {{mask must have shape (2), found 'tensor<1xi8>'}}
  %0 = tte.clamp_mask %y <0.0, 6.0> : (tensor<9xf32>) -> tensor<1xi8>
  return
}

// -----

func.func @applied_mask_size(%g: tensor<9xf32>, %m: tensor<3xi8>) {
  // expected-error @+1 {{mask must have shape (2), found 'tensor<3xi8>'}}
  %0 = tte.apply_mask %g, %m : (tensor<9xf32>, tensor<3xi8>) -> tensor<9xf32>
  return
}

// -----

func.func @slice_gradient(%g: tensor<1x2xf32>) {
  // expected-error @+1 {{box [2, 4) leaves dimension 1 of size 3}}
  %0 = tte.slice_grad %g offsets [0, 2] : (tensor<1x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @slice_gradient_offsets(%g: tensor<1x2xf32>) {
  // expected-error @+1 {{needs 2 offsets, found 3}}
  %0 = tte.slice_grad %g offsets [0, 0, 0] : (tensor<1x2xf32>) -> tensor<2x3xf32>
  return
}
