// RUN: tte-opt %s --tte-quantize | FileCheck %s
// A classifier of zeros can still learn: its grid reaches to +-1.

// CHECK-DAG: !weight = !quant.uniform<i8<-127:127>:f32:1, {0.007874{{[0-9]*}},0.007874{{[0-9]*}}}>
// CHECK: @weight(dense<0> : tensor<3x2xi8>)
ml_program.global private @weight(dense<0.0> : tensor<3x2xf32>) : tensor<3x2xf32>

func.func @forward(%x: tensor<1x3xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @weight : tensor<3x2xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}
