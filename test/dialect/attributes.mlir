// RUN: tte-opt %s | tte-opt | FileCheck %s
// RUN: tte-opt %s --mlir-print-op-generic | tte-opt | FileCheck %s
// RUN: mlir-opt --load-dialect-plugin=%tte_plugin %s | FileCheck %s

// Attributes: bounds keep every digit, infinities have a name.

// CHECK-LABEL: ml_program.global private @w(
// CHECK-SAME: {tte.update = #tte.update<2, 4>}
ml_program.global private @w(dense<1.0> : tensor<8xf32>) : tensor<8xf32> {tte.update = #tte.update<2, 4>}

// CHECK-LABEL: func.func @ranges
// CHECK-SAME: {tte.range = #tte.range<-0.10000000000000001, 9.9999999999999995E-21>, tte.role = #tte.role<input>}
func.func @ranges(%x: tensor<4xf32> {tte.role = #tte.role<input>, tte.range = #tte.range<-0.1, 1.0e-20>}) -> tensor<4xf32> {
  // CHECK: tte.clamp %{{.*}} <-inf, 0.33333333333333331> {tte.range = #tte.range<-123456789.0, 0.33333333333333331>}
  %0 = tte.clamp %x <-inf, 0.33333333333333331> {tte.range = #tte.range<-123456789.0, 0.33333333333333331>} : tensor<4xf32>
  // CHECK: tte.clamp %{{.*}} <0.0, inf>
  %1 = tte.clamp %0 <0.0, inf> : tensor<4xf32>
  // CHECK: tte.clamp %{{.*}} <6.0, 6.0>
  %2 = tte.clamp %1 <6.0, 6.0> : tensor<4xf32>
  return %2 : tensor<4xf32>
}

// CHECK-LABEL: func.func @train_step
// CHECK-SAME: tte.state = @w
// CHECK-SAME: #tte.role<label>
// CHECK-SAME: #tte.role<learning_rate>
// CHECK-SAME: #tte.role<step>
// CHECK-SAME: #tte.role<loss>
// CHECK-SAME: #tte.role<scores>
func.func @train_step(%w: tensor<8xf32> {tte.state = @w}, %label: tensor<1xi32> {tte.role = #tte.role<label>},
    %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<f32> {tte.role = #tte.role<loss>}, tensor<8xf32> {tte.role = #tte.role<scores>}) {
  return %rate, %w : tensor<f32>, tensor<8xf32>
}
