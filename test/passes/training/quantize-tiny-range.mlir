// RUN: tte-opt %s --tte-quantize | FileCheck %s
// The grid of a result is at most 256 times finer than that of its inputs: requantization
// cannot express more.

// CHECK-DAG: !activation = !quant.uniform<i8:f32, 2.560000e+00:-128>
// CHECK-DAG: ![[RESULT:.*]] = !quant.uniform<i8:f32, 1.000000e-02:-128>
// CHECK: tte.add {{.*}} -> tensor<4x![[RESULT]]>
func.func @forward(%x: tensor<4xf32> {tte.range = #tte.range<0.0, 652.8>}) -> tensor<4xf32> {
  %a = tte.add %x, %x {tte.range = #tte.range<0.0, 1.0e-12>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %a : tensor<4xf32>
}
