// RUN: tte-opt %s --split-input-file --verify-diagnostics

// Shapes of convolutions and dense layers.

func.func @input_rank(%x: tensor<8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{input must have rank 4, found 'tensor<8x8x3xf32>'}}
  %0 = tte.conv2d %x weights(%w) : (tensor<8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @result_rank(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{result must have rank 4, found 'tensor<6x6x4xf32>'}}
  %0 = tte.conv2d %x weights(%w) : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<6x6x4xf32>
  return
}

// -----

func.func @dynamic_shape(%x: tensor<1x?x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{operand #0 must be statically shaped tensor of f32 or !quant.uniform, but got 'tensor<1x?x8x3xf32>'}}
  %0 = tte.conv2d %x weights(%w) : (tensor<1x?x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @element_type(%x: tensor<1x8x8x3xf16>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{operand #0 must be statically shaped tensor of f32 or !quant.uniform, but got 'tensor<1x8x8x3xf16>'}}
  %0 = tte.conv2d %x weights(%w) : (tensor<1x8x8x3xf16>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @no_weight(%x: tensor<1x8x8x3xf32>) {
  // expected-error @+1 {{needs at least one part of the weight}}
  %0 = tte.conv2d %x weights() : (tensor<1x8x8x3xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @weight_rank_low(%x: tensor<1x8x8x3xf32>, %w: tensor<3x4xf32>) {
  // expected-error @+1 {{weight must have rank above 2, found 'tensor<3x4xf32>'}}
  %0 = tte.conv2d %x weights(%w) : (tensor<1x8x8x3xf32>, tensor<3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @weight_rank(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4x1xf32>) {
  // expected-error @+1 {{weight must have rank 4, found 'tensor<3x3x3x4x1xf32>'}}
  %0 = tte.conv2d %x weights(%w) : (tensor<1x8x8x3xf32>, tensor<3x3x3x4x1xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @parts_shape(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x1x4xf32>, %v: tensor<3x3x2x5xf32>) {
  // expected-error @+1 {{parts of the weight may differ in dimension 2 alone, found 'tensor<3x3x1x4xf32>' and 'tensor<3x3x2x5xf32>'}}
  %0 = tte.conv2d %x weights(%w, %v) : (tensor<1x8x8x3xf32>, tensor<3x3x1x4xf32>, tensor<3x3x2x5xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @parts_of_a_group(%x: tensor<1x8x8x4xf32>, %w: tensor<3x3x1x4xf32>) {
  // expected-error @+1 {{several parts of the weight need an ungrouped or depthwise convolution, found 2 groups}}
  %0 = tte.conv2d %x weights(%w, %w) groups 2 : (tensor<1x8x8x4xf32>, tensor<3x3x1x4xf32>, tensor<3x3x1x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @groups(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{2 groups must divide 3 input and 4 output channels}}
  %0 = tte.conv2d %x weights(%w) groups 2 : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @no_groups(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{0 groups must divide 3 input and 4 output channels}}
  %0 = tte.conv2d %x weights(%w) groups 0 : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @channels(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x2x4xf32>) {
  // expected-error @+1 {{weight must have 3 input and 5 output channels, found 2 and 4}}
  %0 = tte.conv2d %x weights(%w) : (tensor<1x8x8x3xf32>, tensor<3x3x2x4xf32>) -> tensor<1x6x6x5xf32>
  return
}

// -----

func.func @bias_shape(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{bias must have shape (4), found 'tensor<3xf32>'}}
  %0 = tte.conv2d %x weights(%w) bias(%b) : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>, tensor<3xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @strides_count(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{strides needs 2 numbers, found 1}}
  %0 = tte.conv2d %x weights(%w) strides [1] : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @strides_value(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{strides must be at least 1, found 0}}
  %0 = tte.conv2d %x weights(%w) strides [1, 0] : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @padding_count(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{padding needs 4 numbers, found 2}}
  %0 = tte.conv2d %x weights(%w) padding [1, 1] : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @padding_value(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{padding must be at least 0, found -1}}
  %0 = tte.conv2d %x weights(%w) padding [0, 0, 0, -1] : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x5x4xf32>
  return
}

// -----

func.func @dilations_value(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{dilations must be at least 1, found 0}}
  %0 = tte.conv2d %x weights(%w) dilations [0, 1] : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

func.func @kernel_too_large(%x: tensor<1x4x4x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{a kernel of extent 5 does not fit into the padded input of size 4}}
  %0 = tte.conv2d %x weights(%w) dilations [2, 1] : (tensor<1x4x4x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x1x2x4xf32>
  return
}

// -----

func.func @result_shape(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{output must have shape (1, 3, 6, 4), found 'tensor<1x4x6x4xf32>'}}
  %0 = tte.conv2d %x weights(%w) strides [2, 1] : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x4x6x4xf32>
  return
}

// -----

func.func @batch(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) {
  // expected-error @+1 {{output must have shape (1, 6, 6, 4), found 'tensor<2x6x6x4xf32>'}}
  %0 = tte.conv2d %x weights(%w) : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<2x6x6x4xf32>
  return
}

// -----

func.func @dense_input(%x: tensor<1x2x6xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{input must have rank 2, found 'tensor<1x2x6xf32>'}}
  %0 = tte.dense %x weights(%w) : (tensor<1x2x6xf32>, tensor<6x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @dense_weight(%x: tensor<2x6xf32>, %w: tensor<5x4xf32>) {
  // expected-error @+1 {{weight must have shape (6, 4) over all parts, found first part 'tensor<5x4xf32>'}}
  %0 = tte.dense %x weights(%w) : (tensor<2x6xf32>, tensor<5x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @dense_bias(%x: tensor<2x6xf32>, %w: tensor<6x4xf32>, %b: tensor<1x4xf32>) {
  // expected-error @+1 {{bias must have shape (4), found 'tensor<1x4xf32>'}}
  %0 = tte.dense %x weights(%w) bias(%b) : (tensor<2x6xf32>, tensor<6x4xf32>, tensor<1x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @dense_batch(%x: tensor<2x6xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{result must have shape (2, 4), found 'tensor<1x4xf32>'}}
  %0 = tte.dense %x weights(%w) : (tensor<2x6xf32>, tensor<6x4xf32>) -> tensor<1x4xf32>
  return
}
