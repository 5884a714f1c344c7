// RUN: tte-opt %s --tte-quantize | FileCheck %s
// Grids of activations: asymmetric, extended to hold zero; a skip connection reads one value twice.

// CHECK-DAG: ![[INPUT:.*]] = !quant.uniform<i8:f32, 1.000000e-01:-78>
// CHECK-DAG: ![[POSITIVE:.*]] = !quant.uniform<i8:f32, 4.000000e-02:-128>
// CHECK-DAG: ![[NEGATIVE:.*]] = !quant.uniform<i8:f32, 2.000000e-02:127>
// CHECK-DAG: ![[EMPTY:.*]] = !quant.uniform<i8:f32, 0.0039215689{{[0-9]*}}:-128>

// CHECK: func.func @forward(%[[X:.*]]: tensor<1x2x2x1x![[INPUT]]>)
// CHECK-SAME: -> tensor<1x2x2x1xf32>
func.func @forward(%x: tensor<1x2x2x1xf32> {tte.range = #tte.range<-5.0, 20.5>}) -> tensor<1x2x2x1xf32> {
  // A range above zero begins at zero, one below zero ends there.
  // CHECK: %[[A:.*]] = tte.add %[[X]], %[[X]] : {{.*}} -> tensor<1x2x2x1x![[POSITIVE]]>
  %a = tte.add %x, %x {tte.range = #tte.range<2.0, 10.2>} : (tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  // CHECK: %[[B:.*]] = tte.add %[[A]], %[[X]] : {{.*}} -> tensor<1x2x2x1x![[NEGATIVE]]>
  %b = tte.add %a, %x {tte.range = #tte.range<-5.1, -1.0>} : (tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  // A range without width counts as [0, 1].
  // CHECK: %[[C:.*]] = tte.add %[[B]], %[[A]] : {{.*}} -> tensor<1x2x2x1x![[EMPTY]]>
  %c = tte.add %b, %a {tte.range = #tte.range<0.0, 0.0>} : (tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  // CHECK: %[[RESULT:.*]] = tte.dequantize %[[C]] : (tensor<1x2x2x1x![[EMPTY]]>) -> tensor<1x2x2x1xf32>
  // CHECK: return %[[RESULT]]
  return %c : tensor<1x2x2x1xf32>
}
