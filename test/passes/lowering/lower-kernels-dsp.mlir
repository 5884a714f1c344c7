// RUN: tte-opt %s --tte-lower-kernels=dsp=true --canonicalize | FileCheck %s
// RUN: tte-opt %s --tte-lower-kernels --canonicalize | FileCheck %s --check-prefix=PORTABLE

// The inputs of a pixel are staged as pairs of 16-bit integers; the zero point is subtracted as
// bytes are widened: no instruction of its own.

!x = !quant.uniform<i8:f32, 0.5:-3>
!y = !quant.uniform<i8:f32, 64.0:0>
!w = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

module {
module @kernels {
  // PORTABLE-NOT: llvm.arm
  // CHECK-LABEL: func.func @dense
  // CHECK-DAG: %[[OFFSETS:.*]] = arith.constant 196611 : i32
  // CHECK: llvm.load volatile %{{.*}} : !llvm.ptr -> i32
  // CHECK: llvm.call_intrinsic "llvm.arm.sxtab16"(%[[OFFSETS]],
  // CHECK: llvm.call_intrinsic "llvm.arm.sxtb16"
  // CHECK: llvm.call_intrinsic "llvm.arm.smlad"
  tte.kernel @dense plain {
  ^bb0(%x: tensor<1x8x!x>, %w: tensor<8x2x!w>):
    %0 = tte.dense %x weights(%w) : (tensor<1x8x!x>, tensor<8x2x!w>) -> tensor<1x2x!y>
    tte.yield %0 : tensor<1x2x!y>
  }
}
}
