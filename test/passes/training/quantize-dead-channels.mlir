// RUN: tte-opt %s --tte-quantize | FileCheck %s
// Channels that hardly compute get scales large enough for their biases (DESIGN: no overflow),
// and not smaller than 2^-16 of the layer's largest. Scale of the input: 1.

// Channel 0: 1. Channel 1: weight 1.27e-12, floor 2^-16. Channel 2: |b| / 2^30 = 2.
// CHECK-DAG: !weight = !quant.uniform<i8<-127:127>:f32:1, {1.000000e+00,1.525879E-5,2.000000e+00}>
// CHECK: @weight(dense<{{\[\[}}127, 0, 0]]> : tensor<1x3xi8>)
ml_program.global private @weight(dense<[[127.0, 1.27e-12, 0.0001]]> : tensor<1x3xf32>) : tensor<1x3xf32>
// CHECK: @bias(dense<[0, 0, -1073741824]> : tensor<3xi32>)
ml_program.global private @bias(dense<[0.0, 0.0, -2147483648.0]> : tensor<3xf32>) : tensor<3xf32>

func.func @forward(%x: tensor<1x1xf32> {tte.range = #tte.range<-128.0, 127.0>}) -> tensor<1x3xf32> {
  %w = ml_program.global_load_const @weight : tensor<1x3xf32>
  %b = ml_program.global_load_const @bias : tensor<3xf32>
  %0 = tte.dense %x weights(%w) bias(%b) : (tensor<1x1xf32>, tensor<1x3xf32>, tensor<3xf32>) -> tensor<1x3xf32>
  return %0 : tensor<1x3xf32>
}
