// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: tte-opt %s --tte-lower-kernels | FileCheck %s

// The update of a tile of sums is emitted for four of them, in a loop over the stack.
// CHECK-LABEL: func.func @update
// CHECK: %[[SUMS:.*]] = memref.alloca() : memref<8xf32>
// CHECK: scf.while
// CHECK-COUNT-8: memref.store %{{.*}}, %[[SUMS]]
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[END:.*]] step %[[STEP:.*]] {
// CHECK-COUNT-4: memref.load %[[SUMS]]
// CHECK-NOT: memref.load %[[SUMS]]
// CHECK: return

// What is stored as it is needs no loop, and neither do a few sums, or sums of few terms.
// CHECK-LABEL: func.func @gradient
// CHECK-NOT: alloca
// CHECK-LABEL: func.func @few
// CHECK-NOT: alloca
// CHECK-LABEL: func.func @short
// CHECK-NOT: alloca
func.func private @program()
module @kernels {
  tte.kernel @update plain {
  ^bb0(%x: tensor<16x8xf32>, %p: tensor<8xf32>, %rate: tensor<f32>, %step: tensor<i32>):
    %g = tte.bias_grad %x : (tensor<16x8xf32>) -> tensor<8xf32>
    %r = tte.sgd %p, %g rate %rate step %step nearest stream 0 : (tensor<8xf32>, tensor<8xf32>, tensor<f32>, tensor<i32>) -> tensor<8xf32>
    tte.yield %r : tensor<8xf32>
  }
  tte.kernel @gradient plain {
  ^bb0(%x: tensor<3x8xf32>):
    %g = tte.bias_grad %x : (tensor<3x8xf32>) -> tensor<8xf32>
    tte.yield %g : tensor<8xf32>
  }
  tte.kernel @few plain {
  ^bb0(%x: tensor<16x4xf32>, %p: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>):
    %g = tte.bias_grad %x : (tensor<16x4xf32>) -> tensor<4xf32>
    %r = tte.sgd %p, %g rate %rate step %step nearest stream 0 : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
    tte.yield %r : tensor<4xf32>
  }
  tte.kernel @short plain {
  ^bb0(%x: tensor<15x8xf32>, %p: tensor<8xf32>, %rate: tensor<f32>, %step: tensor<i32>):
    %g = tte.bias_grad %x : (tensor<15x8xf32>) -> tensor<8xf32>
    %r = tte.sgd %p, %g rate %rate step %step nearest stream 0 : (tensor<8xf32>, tensor<8xf32>, tensor<f32>, tensor<i32>) -> tensor<8xf32>
    tte.yield %r : tensor<8xf32>
  }
}
