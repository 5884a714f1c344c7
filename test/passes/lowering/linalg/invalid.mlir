// RUN: tte-opt %s --tte-lower-to-linalg --split-input-file --verify-diagnostics

func.func @planned() {
  // expected-error @+1 {{failed to legalize operation 'tte.subspan'}}
  %0 = tte.subspan arena[0] : memref<4xf32>
  return
}

// -----

!x = !quant.uniform<i8:f32, 1.0:0>
!y = !quant.uniform<i8:f32, 1.0e-9:0>
!w = !quant.uniform<i8<-127:127>:f32:1, {1.0}>
func.func @factor(%x: tensor<1x2x!x>, %w: tensor<2x1x!w>) -> tensor<1x1x!y> {
  // expected-error @+2 {{requantization needs factors below 2^29, found 1.000000e+09}}
  // expected-error @+1 {{failed to legalize operation 'tte.dense'}}
  %0 = tte.dense %x weights(%w) : (tensor<1x2x!x>, tensor<2x1x!w>) -> tensor<1x1x!y>
  return %0 : tensor<1x1x!y>
}

// -----

!x = !quant.uniform<i8:f32, 1.0:0>
!y = !quant.uniform<i8:f32, 1.0e-9:0>
func.func @ratio(%x: tensor<4x!x>) -> tensor<4x!y> {
  // expected-error @+2 {{needs ratios of the scales of operands and result up to 2^20, found 1.000000e+09}}
  // expected-error @+1 {{failed to legalize operation 'tte.add'}}
  %0 = tte.add %x, %x : (tensor<4x!x>, tensor<4x!x>) -> tensor<4x!y>
  return %0 : tensor<4x!y>
}
