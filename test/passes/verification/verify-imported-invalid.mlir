// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-verify-stage{stage=imported})' --split-input-file --verify-diagnostics

!activation = !quant.uniform<i8:f32, 0.5:3>

func.func @stale_scales(%x: tensor<4x!activation>) -> tensor<2x!activation> {
  // expected-error @+1 {{'tensor.extract_slice' op must not touch the quantized type 'tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>>'}}
  %0 = tensor.extract_slice %x[0] [2] [1] : tensor<4x!activation> to tensor<2x!activation>
  return %0 : tensor<2x!activation>
}

// -----

func.func @foreign(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'math.exp' op does not belong into a program}}
  %0 = math.exp %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

ml_program.global private @w(dense<0.5> : tensor<4xf32>) : tensor<?xf32>
func.func @dynamic() -> tensor<?xf32> {
  // expected-error @+1 {{must have results of static shape, found 'tensor<?xf32>'}}
  %0 = ml_program.global_load_const @w : tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

func.func @too_early(%x: tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5:3>> {
  // expected-error @+1 {{'tte.quantize' op is quantized before tte-quantize}}
  %0 = tte.quantize %x : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5:3>>
  return %0 : tensor<4x!quant.uniform<i8:f32, 0.5:3>>
}
