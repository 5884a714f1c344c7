// RUN: tte-opt %s --tte-quantize | FileCheck %s
// A grouped convolution has one scale per output channel and sums ci / groups products a tap:
// bound = 2^31 - 1 - 255 * 127 * 2. Its result is read by the next layer and by the skip.

// CHECK-DAG: !bias = !quant.uniform<i32<-2147418877:2147418877>:f32:0,
// CHECK: @weight({{.*}}) : tensor<1x1x2x4x!weight>
ml_program.global private @weight(dense<1.0> : tensor<1x1x2x4xf32>) : tensor<1x1x2x4xf32>
// CHECK: @bias({{.*}}) : tensor<4x!bias>
ml_program.global private @bias(dense<0.0> : tensor<4xf32>) : tensor<4xf32>

// CHECK-LABEL: func.func @forward
func.func @forward(%x: tensor<1x2x2x4xf32> {tte.range = #tte.range<0.0, 1.0>}) -> tensor<1x2x2x4xf32> {
  %w = ml_program.global_load_const @weight : tensor<1x1x2x4xf32>
  %b = ml_program.global_load_const @bias : tensor<4xf32>
  // CHECK: %[[CONV:.*]] = tte.conv2d {{.*}} groups 2 : (tensor<1x2x2x4x!activation>, tensor<1x1x2x4x!weight>, tensor<4x!bias>)
  %0 = tte.conv2d %x weights(%w) bias(%b) groups 2 {tte.range = #tte.range<0.0, 2.0>}
    : (tensor<1x2x2x4xf32>, tensor<1x1x2x4xf32>, tensor<4xf32>) -> tensor<1x2x2x4xf32>
  // CHECK: %[[POOL:.*]] = tte.avg_pool2d %[[CONV]]
  %1 = tte.avg_pool2d %0 kernel [1, 1] : (tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  // CHECK: tte.add %[[CONV]], %[[POOL]]
  %2 = tte.add %0, %1 {tte.range = #tte.range<0.0, 4.0>} : (tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) -> tensor<1x2x2x4xf32>
  return %2 : tensor<1x2x2x4xf32>
}
