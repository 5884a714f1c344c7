// RUN: tte-opt %s --tte-quantize | FileCheck %s
// Scales of weights and biases per output channel. Scale of the input: 1.

// CHECK-DAG: !weight = !quant.uniform<i8<-127:127>:f32:3, {1.000000e+00,5.000000e-01,1.000000e+00}>
// CHECK-DAG: !bias = !quant.uniform<i32<-2147386492:2147386492>:f32:0, {1.000000e+00,5.000000e-01,1.000000e+00}>
// Ties go to the even number: 0.5 -> 0, 1.5 -> 2, 0.25 / 0.5 -> 0, -0.75 / 0.5 -> -2.
// CHECK: @conv.weight(dense<{{\[\[\[\[}}127, 127, 0], [0, 0, 0], [2, -2, 0]]]]> : tensor<1x1x3x3xi8>) : tensor<1x1x3x3x!weight>
ml_program.global private @conv.weight(dense<[[[[127.0, 63.5, 0.0], [0.5, 0.25, 0.0], [1.5, -0.75, 0.0]]]]> : tensor<1x1x3x3xf32>) : tensor<1x1x3x3xf32>
// CHECK: @conv.bias(dense<[-3, 7, 0]> : tensor<3xi32>) : tensor<3x!bias>
ml_program.global private @conv.bias(dense<[-3.0, 3.5, 0.5]> : tensor<3xf32>) : tensor<3xf32>

func.func @forward(%x: tensor<1x2x2x3xf32> {tte.range = #tte.range<-128.0, 127.0>}) -> tensor<1x2x2x3xf32> {
  %w = ml_program.global_load_const @conv.weight : tensor<1x1x3x3xf32>
  %b = ml_program.global_load_const @conv.bias : tensor<3xf32>
  %0 = tte.conv2d %x weights(%w) bias(%b) : (tensor<1x2x2x3xf32>, tensor<1x1x3x3xf32>, tensor<3xf32>) -> tensor<1x2x2x3xf32>
  return %0 : tensor<1x2x2x3xf32>
}
