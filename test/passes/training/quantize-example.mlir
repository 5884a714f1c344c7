// RUN: tte-opt %s --tte-quantize | FileCheck %s
// The example of the pass.

// CHECK-DAG: !activation = !quant.uniform<i8:f32, 1.000000e-02:-128>
// CHECK-DAG: !weight = !quant.uniform<i8<-127:127>:f32:1, {1.000000e-02}>
// CHECK: ml_program.global private @fc.weight(dense<{{\[\[}}127], [-50]]> : tensor<2x1xi8>) : tensor<2x1x!weight>
ml_program.global private @"fc.weight"(dense<[[1.27], [-0.5]]> : tensor<2x1xf32>) : tensor<2x1xf32>
// CHECK: func.func @forward(%{{.*}}: tensor<1x2x!activation>) -> tensor<1x1xf32>
func.func @forward(%x: tensor<1x2xf32> {tte.range = #tte.range<0.0, 2.55>}) -> tensor<1x1xf32> {
  // CHECK: %[[W:.*]] = ml_program.global_load_const @fc.weight : tensor<2x1x!weight>
  // CHECK: tte.dense %{{.*}} weights(%[[W]]) : (tensor<1x2x!activation>, tensor<2x1x!weight>) -> tensor<1x1xf32>
  %w = ml_program.global_load_const @"fc.weight" : tensor<2x1xf32>
  %0 = tte.dense %x weights(%w) : (tensor<1x2xf32>, tensor<2x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}
