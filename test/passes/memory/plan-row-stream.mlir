// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-fuse-inverted-bottleneck,tte-schedule),tte-plan-memory)' | FileCheck %s

!x = !quant.uniform<i8:f32, 0.05:-5>
!w = !quant.uniform<i8<-127:127>:f32:3, {0.01, 0.02, 0.03, 0.04}>
!w8 = !quant.uniform<i8<-127:127>:f32:3, {0.01, 0.02, 0.03, 0.04, 0.01, 0.02, 0.03, 0.04}>

// Rings of three expanded rows of 8 * 8 bytes, of one filtered and one projected row, and what the
// kernels of the rows work in. With a sum, the
// result lies exactly on the input of 256 bytes.
// CHECK: tte.kernel @conv2d_conv2d_conv2d_add row_stream {
// CHECK: func.func @block() attributes {tte.arena = {bytes = 784 : i64,
// CHECK: %[[X:.*]] = tte.subspan arena[[[PLACE:[0-9]+]]] {tte.role = #tte.role<input>, {{.*}} : memref<1x8x8x4xi8>
// CHECK: %[[Y:.*]] = tte.subspan arena[[[PLACE]]] {tte.role = #tte.role<scores>, {{.*}} : memref<1x8x8x4xi8>
// CHECK: %[[S:.*]] = tte.subspan arena[{{[0-9]+}}] : memref<528xi8>
// CHECK: tte.call @kernels::@conv2d_conv2d_conv2d_add ins(%[[X]], {{.*}}) scratch(%[[S]] : memref<528xi8>) outs(%[[Y]] :
func.func @block(%x: tensor<1x8x8x4x!x> {tte.role = #tte.role<input>}) -> (tensor<1x8x8x4x!x> {tte.role = #tte.role<scores>}) {
  %e = ml_program.global_load_const @e : tensor<1x1x4x8x!w8>
  %d = ml_program.global_load_const @d : tensor<3x3x1x8x!w8>
  %p = ml_program.global_load_const @p : tensor<1x1x8x4x!w>
  %0 = tte.conv2d %x weights(%e) : (tensor<1x8x8x4x!x>, tensor<1x1x4x8x!w8>) -> tensor<1x8x8x8x!x>
  %1 = tte.conv2d %0 weights(%d) padding [1, 1, 1, 1] groups 8 : (tensor<1x8x8x8x!x>, tensor<3x3x1x8x!w8>) -> tensor<1x8x8x8x!x>
  %2 = tte.conv2d %1 weights(%p) : (tensor<1x8x8x8x!x>, tensor<1x1x8x4x!w>) -> tensor<1x8x8x4x!x>
  %3 = tte.add %2, %x : (tensor<1x8x8x4x!x>, tensor<1x8x8x4x!x>) -> tensor<1x8x8x4x!x>
  return %3 : tensor<1x8x8x4x!x>
}

ml_program.global private @e(dense<1> : tensor<1x1x4x8xi8>) : tensor<1x1x4x8x!w8>
ml_program.global private @d(dense<1> : tensor<3x3x1x8xi8>) : tensor<3x3x1x8x!w8>
ml_program.global private @p(dense<1> : tensor<1x1x8x4xi8>) : tensor<1x1x8x4x!w>
