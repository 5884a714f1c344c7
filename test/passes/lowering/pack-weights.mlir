// RUN: tte-opt %s --tte-lower-kernels=dsp=true | FileCheck %s
// RUN: tte-opt %s --tte-lower-kernels | FileCheck %s --check-prefix=PLAIN

// Frozen weights change their order in flash where every kernel that reads them wants that; a
// weight that also trains, or is read by another kernel, keeps it.

!x = !quant.uniform<i8:f32, 0.5>
!y = !quant.uniform<i8:f32, 64.0>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

module {
// products 0 and 2, then 1 and 3, of both outputs; the last two products make one pair
// CHECK: ml_program.global private @frozen(dense<{{.}}[1, 2], [5, 6], [3, 4], [7, 8], [9, 10], [11, 12]]> : tensor<6x2xi8>)
// PLAIN: ml_program.global private @frozen(dense<{{.}}[1, 2], [3, 4], [5, 6],
ml_program.global private @frozen(dense<[[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12]]> : tensor<6x2xi8>) : tensor<6x2x!w>
// CHECK: ml_program.global private @copied(dense<{{.}}[1, 2], [3, 4], [5, 6],
ml_program.global private @copied(dense<[[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 13]]> : tensor<6x2xi8>) : tensor<6x2x!w>
// CHECK: ml_program.global private @shared(dense<{{.}}[1, 2], [3, 4], [5, 6],
ml_program.global private @shared(dense<[[1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 14]]> : tensor<6x2xi8>) : tensor<6x2x!w>
module @kernels {
  tte.kernel @packed plain {
  ^bb0(%x: tensor<1x6x!x>, %w: tensor<6x2x!w>):
    %0 = tte.dense %x weights(%w) : (tensor<1x6x!x>, tensor<6x2x!w>) -> tensor<1x2x!y>
    tte.yield %0 : tensor<1x2x!y>
  }
  tte.kernel @two plain {
  ^bb0(%x: tensor<2x6x!x>, %w: tensor<6x2x!w>):
    %0 = tte.dense %x weights(%w) : (tensor<2x6x!x>, tensor<6x2x!w>) -> tensor<2x2x!y>
    tte.yield %0 : tensor<2x2x!y>
  }
  tte.kernel @sliced plain {
  ^bb0(%w: tensor<6x2x!w>):
    %0 = tte.slice %w offsets [2, 0] : (tensor<6x2x!w>) -> tensor<4x2x!w>
    tte.yield %0 : tensor<4x2x!w>
  }
}
func.func @forward() {
  %x = tte.subspan arena[0] : memref<1x6xi8>
  %x2 = tte.subspan arena[0] : memref<2x6xi8>
  %state = tte.subspan state[0] : memref<6x2xi8>
  %y = tte.subspan arena[16] : memref<1x2xi8>
  %y2 = tte.subspan arena[16] : memref<2x2xi8>
  %rows = tte.subspan arena[32] : memref<4x2xi8>
  %frozen = tte.flash @frozen : memref<6x2xi8>
  %copied = tte.flash @copied : memref<6x2xi8>
  %shared = tte.flash @shared : memref<6x2xi8>
  tte.call @kernels::@packed ins(%x, %frozen : memref<1x6xi8>, memref<6x2xi8>) outs(%y : memref<1x2xi8>) layer "a" phase forward macs 12
  tte.call @kernels::@two ins(%x2, %shared : memref<2x6xi8>, memref<6x2xi8>) outs(%y2 : memref<2x2xi8>) layer "b" phase forward macs 24
  tte.call @kernels::@two ins(%x2, %state : memref<2x6xi8>, memref<6x2xi8>) outs(%y2 : memref<2x2xi8>) layer "c" phase forward macs 24
  tte.call @kernels::@sliced ins(%copied : memref<6x2xi8>) outs(%rows : memref<4x2xi8>) layer "d" phase forward macs 0
  return
}
}
