// RUN: tte-opt %s | tte-opt | FileCheck %s
// RUN: tte-opt %s --mlir-print-op-generic | tte-opt | FileCheck %s
// RUN: mlir-opt --load-dialect-plugin=%tte_plugin %s | FileCheck %s

// Every op of a network parses and prints in both forms, quantized types under aliases.

// CHECK-DAG: !activation = !quant.uniform<i8:f32, 5.000000e-02:3>
// CHECK-DAG: !bias = !quant.uniform<i32:f32:0, {5.000000e-03,1.000000e-02,1.500000e-02,2.000000e-02}>
// CHECK-DAG: !weight = !quant.uniform<i8<-127:127>:f32:3, {1.000000e-01,2.000000e-01,3.000000e-01,4.000000e-01}>
!x = !quant.uniform<i8:f32, 0.05:3>
!w = !quant.uniform<i8<-127:127>:f32:3, {0.1, 0.2, 0.3, 0.4}>
!w_dense = !quant.uniform<i8<-127:127>:f32:1, {0.1, 0.2, 0.3, 0.4}>
!b = !quant.uniform<i32:f32:0, {0.005, 0.01, 0.015, 0.02}>

// CHECK-LABEL: func.func @conv2d(
func.func @conv2d(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>, %b: tensor<4xf32>) -> tensor<1x4x4x4xf32> {
  // CHECK: tte.conv2d %{{.*}} weights(%{{.*}}) bias(%{{.*}}) strides [2, 2] padding [1, 0, 1, 0] clamp <0.0, 6.0> : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>, tensor<4xf32>) -> tensor<1x4x4x4xf32>
  %0 = tte.conv2d %x weights(%w) bias(%b) strides [2, 2] padding [1, 0, 1, 0] clamp <0.0, 6.0>
    : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>, tensor<4xf32>) -> tensor<1x4x4x4xf32>
  return %0 : tensor<1x4x4x4xf32>
}

// Defaults are not printed.
// CHECK-LABEL: func.func @conv2d_defaults(
func.func @conv2d_defaults(%x: tensor<1x8x8x3xf32>, %w: tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32> {
  // CHECK: tte.conv2d %{{.*}} weights(%{{.*}}) : (
  %0 = tte.conv2d %x weights(%w) strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 1
    : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x6x6x4xf32>
  return %0 : tensor<1x6x6x4xf32>
}

// CHECK-LABEL: func.func @conv2d_grouped_dilated(
func.func @conv2d_grouped_dilated(%x: tensor<1x8x8x4xf32>, %w: tensor<3x3x2x4xf32>) -> tensor<1x4x4x4xf32> {
  // CHECK: tte.conv2d %{{.*}} weights(%{{.*}}) dilations [2, 2] groups 2 : (
  %0 = tte.conv2d %x weights(%w) dilations [2, 2] groups 2
    : (tensor<1x8x8x4xf32>, tensor<3x3x2x4xf32>) -> tensor<1x4x4x4xf32>
  return %0 : tensor<1x4x4x4xf32>
}

// CHECK-LABEL: func.func @conv2d_quantized_in_parts(
func.func @conv2d_quantized_in_parts(%x: tensor<1x8x8x3x!x>, %w0: tensor<1x1x1x4x!w>, %w1: tensor<1x1x2x4x!w>, %b: tensor<4x!b>) -> tensor<1x8x8x4x!x> {
  // CHECK: tte.conv2d %{{.*}} weights(%{{.*}}, %{{.*}}) bias(%{{.*}}) clamp <3.0, 127.0> : (tensor<1x8x8x3x!activation>, tensor<1x1x1x4x!weight>, tensor<1x1x2x4x!weight>, tensor<4x!bias>) -> tensor<1x8x8x4x!activation>
  %0 = tte.conv2d %x weights(%w0, %w1) bias(%b) clamp <3.0, 127.0>
    : (tensor<1x8x8x3x!x>, tensor<1x1x1x4x!w>, tensor<1x1x2x4x!w>, tensor<4x!b>) -> tensor<1x8x8x4x!x>
  return %0 : tensor<1x8x8x4x!x>
}

// CHECK-LABEL: func.func @conv2d_depthwise_in_parts(
func.func @conv2d_depthwise_in_parts(%x: tensor<1x8x8x4xf32>, %w0: tensor<3x3x1x1xf32>, %w1: tensor<3x3x1x3xf32>) -> tensor<1x6x6x4xf32> {
  // CHECK: tte.conv2d %{{.*}} weights(%{{.*}}, %{{.*}}) groups 4 : (
  %0 = tte.conv2d %x weights(%w0, %w1) groups 4
    : (tensor<1x8x8x4xf32>, tensor<3x3x1x1xf32>, tensor<3x3x1x3xf32>) -> tensor<1x6x6x4xf32>
  return %0 : tensor<1x6x6x4xf32>
}

// CHECK-LABEL: func.func @dense(
func.func @dense(%x: tensor<2x6xf32>, %w0: tensor<2x4xf32>, %w1: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  // CHECK: tte.dense %{{.*}} weights(%{{.*}}, %{{.*}}) bias(%{{.*}}) clamp <0.0, inf> : (tensor<2x6xf32>, tensor<2x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  %0 = tte.dense %x weights(%w0, %w1) bias(%b) clamp <0.0, inf>
    : (tensor<2x6xf32>, tensor<2x4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// The last layer of a quantized network accumulates in i32 and scales to f32.
// CHECK-LABEL: func.func @dense_to_real(
func.func @dense_to_real(%x: tensor<1x6x!x>, %w: tensor<6x4x!w_dense>, %b: tensor<4x!b>) -> tensor<1x4xf32> {
  // CHECK: tte.dense %{{.*}} weights(%{{.*}}) bias(%{{.*}}) : (tensor<1x6x!activation>, tensor<6x4x!weight1>, tensor<4x!bias>) -> tensor<1x4xf32>
  %0 = tte.dense %x weights(%w) bias(%b)
    : (tensor<1x6x!x>, tensor<6x4x!w_dense>, tensor<4x!b>) -> tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}

// CHECK-LABEL: func.func @add(
func.func @add(%a: tensor<2x3xf32>, %q: tensor<2x3x!x>) -> (tensor<2x3xf32>, tensor<2x3x!x>) {
  // CHECK: tte.add %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %0 = tte.add %a, %a : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: tte.add %{{.*}}, %{{.*}} clamp <-128.0, 100.0> : (tensor<2x3x!activation>, tensor<2x3x!activation>) -> tensor<2x3x!activation>
  %1 = tte.add %q, %q clamp <-128.0, 100.0> : (tensor<2x3x!x>, tensor<2x3x!x>) -> tensor<2x3x!x>
  return %0, %1 : tensor<2x3xf32>, tensor<2x3x!x>
}

// CHECK-LABEL: func.func @pools(
func.func @pools(%x: tensor<1x8x8x4xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x7x7x4xf32>) {
  // CHECK: tte.avg_pool2d %{{.*}} kernel [3, 3] strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
  %0 = tte.avg_pool2d %x kernel [3, 3] strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
  // CHECK: tte.max_pool2d %{{.*}} kernel [2, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x7x7x4xf32>
  %1 = tte.max_pool2d %x kernel [2, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x7x7x4xf32>
  return %0, %1 : tensor<1x4x4x4xf32>, tensor<1x7x7x4xf32>
}

// CHECK-LABEL: func.func @shape(
func.func @shape(%x: tensor<1x4x4x3xf32>, %w: tensor<3x3x2x4x!w>) -> (tensor<1x48xf32>, tensor<1x2x4x2xf32>, tensor<1x3x4x4xf32>) {
  // CHECK: tte.clamp %{{.*}} <0.0, 6.0> : tensor<1x4x4x3xf32>
  %0 = tte.clamp %x <0.0, 6.0> : tensor<1x4x4x3xf32>
  // CHECK: tte.reshape %{{.*}} : (tensor<1x4x4x3xf32>) -> tensor<1x48xf32>
  %1 = tte.reshape %0 : (tensor<1x4x4x3xf32>) -> tensor<1x48xf32>
  // CHECK: tte.slice %{{.*}} offsets [0, 2, 0, 1] : (tensor<1x4x4x3xf32>) -> tensor<1x2x4x2xf32>
  %2 = tte.slice %0 offsets [0, 2, 0, 1] : (tensor<1x4x4x3xf32>) -> tensor<1x2x4x2xf32>
  // CHECK: tte.permute %{{.*}} [0, 3, 1, 2] : (tensor<1x4x4x3xf32>) -> tensor<1x3x4x4xf32>
  %3 = tte.permute %0 [0, 3, 1, 2] : (tensor<1x4x4x3xf32>) -> tensor<1x3x4x4xf32>
  return %1, %2, %3 : tensor<1x48xf32>, tensor<1x2x4x2xf32>, tensor<1x3x4x4xf32>
}

// Scales and axis follow the data.
// CHECK-LABEL: func.func @shape_of_weights(
func.func @shape_of_weights(%w: tensor<3x3x2x4x!w>) -> (tensor<3x3x2x2x!quant.uniform<i8<-127:127>:f32:3, {0.2, 0.3}>>, tensor<4x3x3x2x!quant.uniform<i8<-127:127>:f32:0, {0.1, 0.2, 0.3, 0.4}>>) {
  // CHECK: tte.slice %{{.*}} offsets [0, 0, 0, 1] : (tensor<3x3x2x4x!weight>) -> tensor<3x3x2x2x!weight{{[0-9]+}}>
  %0 = tte.slice %w offsets [0, 0, 0, 1]
    : (tensor<3x3x2x4x!w>) -> tensor<3x3x2x2x!quant.uniform<i8<-127:127>:f32:3, {0.2, 0.3}>>
  // CHECK: tte.permute %{{.*}} [3, 0, 1, 2] : (tensor<3x3x2x4x!weight>) -> tensor<4x3x3x2x!weight{{[0-9]+}}>
  %1 = tte.permute %w [3, 0, 1, 2]
    : (tensor<3x3x2x4x!w>) -> tensor<4x3x3x2x!quant.uniform<i8<-127:127>:f32:0, {0.1, 0.2, 0.3, 0.4}>>
  return %0, %1 : tensor<3x3x2x2x!quant.uniform<i8<-127:127>:f32:3, {0.2, 0.3}>>, tensor<4x3x3x2x!quant.uniform<i8<-127:127>:f32:0, {0.1, 0.2, 0.3, 0.4}>>
}

// CHECK-LABEL: func.func @grid(
func.func @grid(%x: tensor<4xf32>) -> tensor<4xf32> {
  // CHECK: tte.quantize %{{.*}} : (tensor<4xf32>) -> tensor<4x!activation>
  %0 = tte.quantize %x : (tensor<4xf32>) -> tensor<4x!x>
  // CHECK: tte.dequantize %{{.*}} : (tensor<4x!activation>) -> tensor<4xf32>
  %1 = tte.dequantize %0 : (tensor<4x!x>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
