// RUN: tte-opt %s --tte-lower-kernels=dsp=true | FileCheck %s
// RUN: tte-opt %s --tte-lower-kernels | FileCheck %s --check-prefix=PORTABLE

// A channel's factors of a requantization take five bytes of flash: the multiplier and its shift
// less 33. With DSP instructions they are one record; a row of 32 pixels loads them so often that
// they are three words, as the code needs them.

// 0.5 * 0.5 / 64 = 2^30 * 2^-38, 0.75 * 0.5 / 64 = 1.5 * 2^30 * 2^-38
!x = !quant.uniform<i8:f32, 0.5:-3>
!y = !quant.uniform<i8:f32, 64.0:2>
!w = !quant.uniform<i8<-127:127>:f32:3, {0.5, 0.75}>

// CHECK-DAG: dense<[0, 0, 0, 64, 5, 0, 0, 0, 96, 5]> : tensor<10xi8>
// 5 * 2^5: half of 2^6 and the zero point times 2^6
// CHECK-DAG: dense<[1073741824, 160, 5, 1610612736, 160, 5]> : tensor<6xi32>
// CHECK-NOT: ml_program.global

// PORTABLE-DAG: dense<[1073741824, 1610612736]> : tensor<2xi32>
// PORTABLE-DAG: dense<5> : tensor<2xi8>
// PORTABLE-NOT: ml_program.global

func.func @run() {
  %x = tte.subspan arena[0] : memref<1x1x4x8xi8>
  %y = tte.subspan arena[32] : memref<1x1x4x2xi8>
  %w = tte.subspan arena[40] : memref<1x1x8x2xi8>
  %s = tte.subspan arena[56] : memref<24xi8>
  tte.call @kernels::@narrow ins(%x, %w : memref<1x1x4x8xi8>, memref<1x1x8x2xi8>)
    scratch(%s : memref<24xi8>) outs(%y : memref<1x1x4x2xi8>) layer "narrow" phase forward macs 64
  %xs = tte.subspan arena[0] : memref<1x1x32x8xi8>
  %ys = tte.subspan arena[256] : memref<1x1x32x2xi8>
  tte.call @kernels::@wide ins(%xs, %w : memref<1x1x32x8xi8>, memref<1x1x8x2xi8>)
    scratch(%s : memref<24xi8>) outs(%ys : memref<1x1x32x2xi8>) layer "wide" phase forward macs 512
  return
}

module @kernels {
  tte.kernel @narrow plain {
  ^bb0(%x: tensor<1x1x4x8x!x>, %w: tensor<1x1x8x2x!w>):
    %0 = tte.conv2d %x weights(%w) : (tensor<1x1x4x8x!x>, tensor<1x1x8x2x!w>) -> tensor<1x1x4x2x!y>
    tte.yield %0 : tensor<1x1x4x2x!y>
  }
  tte.kernel @wide plain {
  ^bb0(%x: tensor<1x1x32x8x!x>, %w: tensor<1x1x8x2x!w>):
    %0 = tte.conv2d %x weights(%w) : (tensor<1x1x32x8x!x>, tensor<1x1x8x2x!w>) -> tensor<1x1x32x2x!y>
    tte.yield %0 : tensor<1x1x32x2x!y>
  }
}
