// RUN: tte-opt %s --split-input-file --verify-diagnostics

// Element types of convolutions and dense layers.

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @weight_is_real(%x: tensor<1x3x!x>, %w: tensor<3x2xf32>) {
  // expected-error @+1 {{weight of type 'tensor<3x2xf32>' does not go with an input of type 'tensor<1x3x!quant.uniform<i8:f32, 5.000000e-01:3>>'}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3x!x>, tensor<3x2xf32>) -> tensor<1x2x!x>
  return
}

// -----

!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @weight_is_quantized(%x: tensor<1x3xf32>, %w: tensor<3x2x!w>) {
  // expected-error @+1 {{weight of type 'tensor<3x2x!quant.uniform<i8<-127:127>:f32:1, {5.000000e-01,2.500000e-01}>>' does not go with an input of type 'tensor<1x3xf32>'}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3xf32>, tensor<3x2x!w>) -> tensor<1x2xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @bias_is_real(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>, %b: tensor<2xf32>) {
  // expected-error @+1 {{bias of type 'tensor<2xf32>' does not go with an input of type}}
  %0 = tte.dense %x weights(%w) bias(%b) : (tensor<1x3x!x>, tensor<3x2x!w>, tensor<2xf32>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>

func.func @result_is_quantized(%x: tensor<1x3xf32>, %w: tensor<3x2xf32>) {
  // expected-error @+1 {{does not go with an input of type 'tensor<1x3xf32>'}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i16:f32, 0.5>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @wide_input(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>) {
  // expected-error @+1 {{input must be stored in i8, found 'tensor<1x3x!quant.uniform<i16:f32, 5.000000e-01>>'}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3x!x>, tensor<3x2x!w>) -> tensor<1x2xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i16:f32:1, {0.5, 0.25}>

func.func @wide_weight(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>) {
  // expected-error @+1 {{weight must be stored in i8}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3x!x>, tensor<3x2x!w>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>
!b = !quant.uniform<i8:f32:0, {0.25, 0.125}>

func.func @narrow_bias(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>, %b: tensor<2x!b>) {
  // expected-error @+1 {{bias must be stored in i32}}
  %0 = tte.dense %x weights(%w) bias(%b) : (tensor<1x3x!x>, tensor<3x2x!w>, tensor<2x!b>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32, 0.5:1>

func.func @weight_zero_point(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>) {
  // expected-error @+1 {{weight must have zero point 0}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3x!x>, tensor<3x2x!w>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25:2}>

func.func @weight_zero_point_of_a_channel(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>) {
  // expected-error @+1 {{weight must have zero point 0}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3x!x>, tensor<3x2x!w>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>
!b = !quant.uniform<i32:f32:0, {0.25, 0.125:-1}>

func.func @bias_zero_point(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>, %b: tensor<2x!b>) {
  // expected-error @+1 {{bias must have zero point 0}}
  %0 = tte.dense %x weights(%w) bias(%b) : (tensor<1x3x!x>, tensor<3x2x!w>, tensor<2x!b>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32:0, {0.5, 0.25, 0.125}>

func.func @weight_axis(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>) {
  // expected-error @+1 {{weight must be quantized along its last dimension}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3x!x>, tensor<3x2x!w>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32:1, {0.5, 0.25, 0.5}>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

func.func @input_per_axis(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>) {
  // expected-error @+1 {{input and result must be quantized per tensor}}
  %0 = tte.dense %x weights(%w) : (tensor<1x3x!x>, tensor<3x2x!w>) -> tensor<1x2xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>
!b = !quant.uniform<i32:f32:0, {0.25, 0.25}>

func.func @bias_scale(%x: tensor<1x3x!x>, %w: tensor<3x2x!w>, %b: tensor<2x!b>) {
  // expected-error @+1 {{scale of bias 1 must be 1.250000e-01 (input times weight), found 2.500000e-01}}
  %0 = tte.dense %x weights(%w) bias(%b) : (tensor<1x3x!x>, tensor<3x2x!w>, tensor<2x!b>) -> tensor<1x2x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!v = !quant.uniform<i8<-127:127>:f32:3, {0.5}>
!w = !quant.uniform<i8<-127:127>:f32:3, {0.25, 0.125}>
!b = !quant.uniform<i32:f32:0, {0.25, 0.0625, 0.125}>

func.func @bias_scale_of_a_depthwise_part(%x: tensor<1x3x3x3x!x>, %v: tensor<1x1x1x1x!v>, %w: tensor<1x1x1x2x!w>, %b: tensor<3x!b>) {
  // expected-error @+1 {{scale of bias 1 must be 1.250000e-01 (input times weight), found 6.250000e-02}}
  %0 = tte.conv2d %x weights(%v, %w) bias(%b) groups 3 : (tensor<1x3x3x3x!x>, tensor<1x1x1x1x!v>, tensor<1x1x1x2x!w>, tensor<3x!b>) -> tensor<1x3x3x3x!x>
  return
}

// -----

!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>
!v = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.5}>

func.func @parts_have_other_scales(%x: tensor<1x3x!x>, %w: tensor<1x2x!w>, %v: tensor<2x2x!v>) {
  // expected-error @+1 {{parts of the weight must have one element type}}
  %0 = tte.dense %x weights(%w, %v) : (tensor<1x3x!x>, tensor<1x2x!w>, tensor<2x2x!v>) -> tensor<1x2x!x>
  return
}
