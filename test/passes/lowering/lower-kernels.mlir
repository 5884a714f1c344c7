// RUN: tte-opt %s --tte-lower-kernels --canonicalize | FileCheck %s
// RUN: tte-opt %s --tte-lower-kernels=vector-width=8 --canonicalize | FileCheck %s --check-prefix=VECTOR

// Constants that depend on scales leave the code: two sums of other scales are one function.

!a = !quant.uniform<i8:f32, 0.5:3>
!b = !quant.uniform<i8:f32, 0.25:3>

// CHECK-DAG: ml_program.global private @[[FIRST:kernel_table.*]](dense<[2097152, 2097152, -11534336, 21]> : tensor<4xi32>)
// CHECK-DAG: ml_program.global private @[[SECOND:kernel_table.*]](dense<[2097152, 1048576, -8912896, 20]> : tensor<4xi32>)

// CHECK-LABEL: func.func @run
func.func @run() {
  %x = tte.subspan arena[0] : memref<1x16xi8>
  %y = tte.subspan arena[16] : memref<1x16xi8>
  // CHECK: %[[T0:.*]] = tte.flash @[[FIRST]] : memref<4xi32>
  // CHECK: tte.call @kernels::@sum ins({{.*}}) tables(%[[T0]] : memref<4xi32>) outs
  tte.call @kernels::@sum ins(%x, %y : memref<1x16xi8>, memref<1x16xi8>) outs(%x : memref<1x16xi8>)
    layer "sum" phase forward macs 0
  // CHECK: %[[T1:.*]] = tte.flash @[[SECOND]] : memref<4xi32>
  // CHECK: tte.call @kernels::@sum ins({{.*}}) tables(%[[T1]] : memref<4xi32>) outs
  tte.call @kernels::@other ins(%x, %y : memref<1x16xi8>, memref<1x16xi8>) outs(%x : memref<1x16xi8>)
    layer "other" phase forward macs 0
  return
}

// CHECK: module @kernels
module @kernels {
  // CHECK: func.func @sum(%[[X:.*]]: memref<16xi8>, %[[Y:.*]]: memref<16xi8>, %[[TABLE:.*]]: memref<4xi32>, %[[OUT:.*]]: memref<16xi8>)
  // CHECK-COUNT-4: memref.load %[[TABLE]]
  // CHECK: scf.for
  // CHECK: memref.load %[[X]]
  // CHECK: arith.extsi
  // CHECK: memref.load %[[Y]]
  // CHECK: arith.shrsi
  // CHECK: arith.maxsi
  // CHECK: arith.minsi
  // CHECK: memref.store %{{.*}}, %[[OUT]]
  // VECTOR: vector.load %{{.*}} : memref<16xi8>, vector<8xi8>
  // VECTOR: vector.store %{{.*}} : memref<16xi8>, vector<8xi8>
  tte.kernel @sum plain {
  ^bb0(%x: tensor<1x16x!a>, %y: tensor<1x16x!a>):
    %0 = tte.add %x, %y : (tensor<1x16x!a>, tensor<1x16x!a>) -> tensor<1x16x!a>
    tte.yield %0 : tensor<1x16x!a>
  }
  // CHECK-NOT: @other
  tte.kernel @other plain {
  ^bb0(%x: tensor<1x16x!a>, %y: tensor<1x16x!b>):
    %0 = tte.add %x, %y : (tensor<1x16x!a>, tensor<1x16x!b>) -> tensor<1x16x!b>
    tte.yield %0 : tensor<1x16x!b>
  }
}
