// RUN: tte-opt %s --tte-lower-to-linalg --canonicalize --cse | FileCheck %s

!x = !quant.uniform<i8:f32, 0.5:-7>
!y = !quant.uniform<i8:f32, 1.0:11>
!w = !quant.uniform<i8<-127:127>:f32:3, {0.5, 0.25}>
!b = !quant.uniform<i32:f32:0, {0.25, 0.125}>

// The input is centred, then padded with 0; products accumulate in i32; the factors 0.25 and 0.125
// are 2^30 * 2^-32 and 2^30 * 2^-33.
// CHECK-LABEL: func.func @conv2d
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x4x3xi8>, %[[W:.*]]: tensor<3x3x3x2xi8>, %[[B:.*]]: tensor<2xi32>) -> tensor<1x2x2x2xi8>
// CHECK-DAG: %[[SHIFT:.*]] = arith.constant dense<[32, 33]> : tensor<2xi32>
// CHECK-DAG: %[[MULTIPLIER:.*]] = arith.constant dense<1073741824> : tensor<2xi32>
// CHECK: linalg.generic {{.*}} ins(%[[X]]
// CHECK: arith.subi %{{.*}}, %c-7_i32
// CHECK: tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 0, 1, 0]
// CHECK: linalg.generic {{.*}}"parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
// CHECK: arith.muli %{{.*}} : i32
// CHECK: linalg.generic {{.*}}, %[[B]]
// CHECK: arith.addi %{{.*}} : i32
// CHECK: linalg.generic {{.*}}, %[[MULTIPLIER]], %[[SHIFT]]
// CHECK: arith.muli %{{.*}} : i64
// CHECK: arith.shrsi %{{.*}} : i64
// CHECK: arith.maxsi %{{.*}}, %c-90_i64
// CHECK: arith.minsi %{{.*}}, %c127_i64
// CHECK: arith.trunci %{{.*}} : i64 to i8
func.func @conv2d(%x: tensor<1x4x4x3x!x>, %w: tensor<3x3x3x2x!w>, %b: tensor<2x!b>) -> tensor<1x2x2x2x!y> {
  %0 = tte.conv2d %x weights(%w) bias(%b) strides [2, 2] padding [1, 0, 1, 1] clamp <-90.0, 300.0>
    : (tensor<1x4x4x3x!x>, tensor<3x3x3x2x!w>, tensor<2x!b>) -> tensor<1x2x2x2x!y>
  return %0 : tensor<1x2x2x2x!y>
}

// CHECK-LABEL: func.func @dense_to_scores
// CHECK-DAG: %[[FACTOR:.*]] = arith.constant dense<[2.500000e-01, 1.250000e-01]> : tensor<2xf32>
// CHECK: linalg.generic {{.*}}, %[[FACTOR]]
// CHECK: arith.sitofp %{{.*}} : i32 to f32
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: linalg.yield
!v = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>
func.func @dense_to_scores(%x: tensor<1x3x!x>, %w: tensor<3x2x!v>) -> tensor<1x2xf32> {
  %0 = tte.dense %x weights(%w) : (tensor<1x3x!x>, tensor<3x2x!v>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// Parts of a weight are concatenated along the input channels.
// CHECK-LABEL: func.func @parts
// CHECK: tensor.concat dim(2) %{{.*}} : (tensor<1x1x1x2xf32>, tensor<1x1x3x2xf32>) -> tensor<1x1x4x2xf32>
// CHECK: arith.maximumf %{{.*}}, %cst
// CHECK-NOT: arith.minimumf
func.func @parts(%x: tensor<1x4x4x4xf32>, %w0: tensor<1x1x1x2xf32>, %w1: tensor<1x1x3x2xf32>) -> tensor<1x4x4x2xf32> {
  %0 = tte.conv2d %x weights(%w0, %w1) clamp <0.0, inf>
    : (tensor<1x4x4x4xf32>, tensor<1x1x1x2xf32>, tensor<1x1x3x2xf32>) -> tensor<1x4x4x2xf32>
  return %0 : tensor<1x4x4x2xf32>
}

// The ratios 0.5 and 1 are 2^20 and 2^21 at shift 21.
// CHECK-LABEL: func.func @add
// CHECK: arith.muli %{{.*}}, %c1048576_i32
// CHECK: arith.muli %{{.*}}, %c2097152_i32
// CHECK: arith.shrsi %{{.*}}, %c21_i32
func.func @add(%a: tensor<8x!x>, %b: tensor<8x!y>) -> tensor<8x!y> {
  %0 = tte.add %a, %b : (tensor<8x!x>, tensor<8x!y>) -> tensor<8x!y>
  return %0 : tensor<8x!y>
}

// Windows at the border have fewer taps.
// CHECK-LABEL: func.func @avg_pool2d
// CHECK-DAG: arith.constant dense<{{\[}}[1, 2], [2, 4]]> : tensor<2x2xi32>
// CHECK: arith.floordivsi
func.func @avg_pool2d(%x: tensor<1x3x3x1x!x>) -> tensor<1x2x2x1x!x> {
  %0 = tte.avg_pool2d %x kernel [2, 2] strides [2, 2] padding [1, 0, 1, 0]
    : (tensor<1x3x3x1x!x>) -> tensor<1x2x2x1x!x>
  return %0 : tensor<1x2x2x1x!x>
}

// Parameters stay globals, in their storage type; attributes of the dialect are gone.
// CHECK-LABEL: ml_program.global private @scale(dense<[1, 2]> : tensor<2xi8>) : tensor<2xi8>
// CHECK: func.func @parameters(%{{.*}}: tensor<2xi8>) -> tensor<2xi8>
// CHECK: ml_program.global_load_const @scale : tensor<2xi8>
// CHECK-NOT: tte.
ml_program.global private @scale(dense<[1, 2]> : tensor<2xi8>) : tensor<2x!x> {tte.update = #tte.update<0, 2>}
func.func @parameters(%x: tensor<2x!x> {tte.role = #tte.role<input>}) -> (tensor<2x!x> {tte.role = #tte.role<scores>}) {
  %s = ml_program.global_load_const @scale : tensor<2x!x>
  %0 = tte.dispatch plain forward (%a = %x : tensor<2x!x>, %b = %s : tensor<2x!x>) -> tensor<2x!x> {
    %1 = tte.add %a, %b : (tensor<2x!x>, tensor<2x!x>) -> tensor<2x!x>
    tte.yield %1 : tensor<2x!x>
  }
  return %0 : tensor<2x!x>
}
