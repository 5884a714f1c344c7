// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-verify-stage{stage=quantized})' --split-input-file --verify-diagnostics

func.func @real_layer(%x: tensor<1x4xf32>, %w: tensor<4x2xf32>) -> tensor<1x2xf32> {
  // expected-error @+1 {{'tte.dense' op must read a quantized value, found 'tensor<1x4xf32>'}}
  %0 = tte.dense %x weights(%w) : (tensor<1x4xf32>, tensor<4x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

func.func @range_left(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'tte.clamp' op has a calibrated range after tte-quantize}}
  %0 = tte.clamp %x <0.0, 6.0> {tte.range = #tte.range<0.0, 6.0>} : tensor<4xf32>
  return %0 : tensor<4xf32>
}
