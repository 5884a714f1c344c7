// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: tte-opt %s --allow-unregistered-dialect --split-input-file --tte-share-kernels | FileCheck %s

// Sizes that differ become arguments, equal columns of them one; what is equal stays. Buffers get
// the size of the largest.
// CHECK-LABEL: module {
// CHECK: func.func @short(%[[X:.*]]: memref<20xf32>, %[[Y:.*]]: memref<40xi8>, %[[N:.*]]: i32, %[[M:.*]]: i32) {
// CHECK-DAG: %[[SIZE:.*]] = arith.index_cast %[[N]] : i32 to index
// CHECK-DAG: %[[WORD:.*]] = arith.extsi %[[N]] : i32 to i64
// CHECK-DAG: %[[END:.*]] = arith.index_cast %[[M]] : i32 to index
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[THREE:.*]] = arith.constant 3 : i32
// CHECK: "test.use"(%[[SIZE]], %[[N]], %[[WORD]], %[[THREE]])
// CHECK: scf.for %{{.*}} = %[[ZERO]] to %[[END]] step %[[SIZE]]
// CHECK-NOT: func.func @long
// CHECK-NOT: func.func @longer
// CHECK: func.func @run
// CHECK: tte.call @kernels::@short ins({{.*}}) outs({{.*}}) layer "a" {{.*}} {tte.constants = array<i32: 4, 8>}
// CHECK: tte.call @kernels::@short ins({{.*}}) outs({{.*}}) layer "b" {{.*}} {tte.constants = array<i32: 5, 20>}
// CHECK: tte.call @kernels::@short ins({{.*}}) outs({{.*}}) layer "c" {{.*}} {tte.constants = array<i32: 4, 12>}
module {
  module @kernels {
    func.func @short(%x: memref<8xf32>, %y: memref<40xi8>) {
      %c0 = arith.constant 0 : index
      %step = arith.constant 4 : index
      %end = arith.constant 8 : index
      %word = arith.constant 4 : i32
      %long = arith.constant 4 : i64
      %same = arith.constant 3 : i32
      "test.use"(%step, %word, %long, %same) : (index, i32, i64, i32) -> ()
      scf.for %i = %c0 to %end step %step {
        %0 = memref.load %x[%i] : memref<8xf32>
        memref.store %0, %x[%i] : memref<8xf32>
      }
      return
    }
    func.func @long(%x: memref<20xf32>, %y: memref<20xi8>) {
      %c0 = arith.constant 0 : index
      %step = arith.constant 5 : index
      %end = arith.constant 20 : index
      %word = arith.constant 5 : i32
      %long = arith.constant 5 : i64
      %same = arith.constant 3 : i32
      "test.use"(%step, %word, %long, %same) : (index, i32, i64, i32) -> ()
      scf.for %i = %c0 to %end step %step {
        %0 = memref.load %x[%i] : memref<20xf32>
        memref.store %0, %x[%i] : memref<20xf32>
      }
      return
    }
    func.func @longer(%x: memref<12xf32>, %y: memref<20xi8>) {
      %c0 = arith.constant 0 : index
      %step = arith.constant 4 : index
      %end = arith.constant 12 : index
      %word = arith.constant 4 : i32
      %long = arith.constant 4 : i64
      %same = arith.constant 3 : i32
      "test.use"(%step, %word, %long, %same) : (index, i32, i64, i32) -> ()
      scf.for %i = %c0 to %end step %step {
        %0 = memref.load %x[%i] : memref<12xf32>
        memref.store %0, %x[%i] : memref<12xf32>
      }
      return
    }
  }
  func.func @run() {
    %x8 = tte.subspan arena[0] : memref<8xf32>
    %x20 = tte.subspan arena[0] : memref<20xf32>
    %x12 = tte.subspan arena[0] : memref<12xf32>
    %y40 = tte.subspan arena[80] : memref<40xi8>
    %y20 = tte.subspan arena[80] : memref<20xi8>
    tte.call @kernels::@short ins(%x8 : memref<8xf32>) outs(%y40 : memref<40xi8>) layer "a" phase forward macs 0
    tte.call @kernels::@long ins(%x20 : memref<20xf32>) outs(%y20 : memref<20xi8>) layer "b" phase forward macs 0
    tte.call @kernels::@longer ins(%x12 : memref<12xf32>) outs(%y20 : memref<20xi8>) layer "c" phase forward macs 0
    return
  }
}

// -----

// The distance of a pointer becomes an argument, where such distances are few among the ops.
// CHECK-LABEL: func.func @near
// CHECK-SAME: (%[[X:.*]]: memref<8xi8>, %[[N:.*]]: i32)
// CHECK: llvm.getelementptr %{{.*}}[%[[N]]] : (!llvm.ptr, i32) -> !llvm.ptr, i8
// CHECK: llvm.getelementptr %{{.*}}[4] : (!llvm.ptr) -> !llvm.ptr, i8
// CHECK-NOT: @far
// CHECK: func.func @near_alone(%{{.*}}: memref<8xi8>) {
// CHECK: func.func @far_alone(%{{.*}}: memref<8xi8>) {
module {
  module @kernels {
    func.func @near(%x: memref<8xi8>) {
      %base = llvm.mlir.zero : !llvm.ptr
      %0 = llvm.getelementptr %base[1] : (!llvm.ptr) -> !llvm.ptr, i8
      %1 = llvm.getelementptr %0[4] : (!llvm.ptr) -> !llvm.ptr, i8
      %2 = llvm.load %1 : !llvm.ptr -> i8
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      return
    }
    func.func @far(%x: memref<8xi8>) {
      %base = llvm.mlir.zero : !llvm.ptr
      %0 = llvm.getelementptr %base[2] : (!llvm.ptr) -> !llvm.ptr, i8
      %1 = llvm.getelementptr %0[4] : (!llvm.ptr) -> !llvm.ptr, i8
      %2 = llvm.load %1 : !llvm.ptr -> i8
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      return
    }
    func.func @near_alone(%x: memref<8xi8>) {
      %base = llvm.mlir.zero : !llvm.ptr
      %0 = llvm.getelementptr %base[1] : (!llvm.ptr) -> !llvm.ptr, i8
      %1 = llvm.getelementptr %0[4] : (!llvm.ptr) -> !llvm.ptr, i8
      %2 = llvm.load %1 : !llvm.ptr -> i8
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      return
    }
    func.func @far_alone(%x: memref<8xi8>) {
      %base = llvm.mlir.zero : !llvm.ptr
      %0 = llvm.getelementptr %base[2] : (!llvm.ptr) -> !llvm.ptr, i8
      %1 = llvm.getelementptr %0[4] : (!llvm.ptr) -> !llvm.ptr, i8
      %2 = llvm.load %1 : !llvm.ptr -> i8
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      "test.use"(%x) : (memref<8xi8>) -> ()
      return
    }
  }
}

// -----

// Not of one form: amounts of shifts, divisors, widths of saturation, reals, other code, other
// elements, calls.
// CHECK-LABEL: module {
// CHECK: func.func @shift_1
// CHECK: func.func @shift_2
// CHECK: func.func @divide_1
// CHECK: func.func @divide_2
// CHECK: func.func @saturate_1
// CHECK: func.func @saturate_2
// CHECK: func.func @real_1
// CHECK: func.func @real_2
// CHECK: func.func @add
// CHECK: func.func @multiply
// CHECK: func.func @bytes(%{{.*}}: memref<8xi8>) {
// CHECK: func.func @words(%{{.*}}: memref<8xi32>) {
// CHECK: func.func private @part_1(%{{.*}}: memref<1xi8>) {
// CHECK: func.func private @part_2(%{{.*}}: memref<2xi8>) {
// CHECK: func.func @caller_1
// CHECK: func.func @caller_2
module {
  module @kernels {
    func.func @shift_1(%x: memref<1xi32>) {
      %c = arith.constant 1 : i32
      %0 = arith.shrsi %c, %c : i32
      "test.use"(%0) : (i32) -> ()
      return
    }
    func.func @shift_2(%x: memref<1xi32>) {
      %c = arith.constant 2 : i32
      %0 = arith.shrsi %c, %c : i32
      "test.use"(%0) : (i32) -> ()
      return
    }
    func.func @divide_1(%x: memref<1xi32>) {
      %c = arith.constant 1 : index
      %0 = arith.floordivsi %c, %c : index
      "test.use"(%0) : (index) -> ()
      return
    }
    func.func @divide_2(%x: memref<1xi32>) {
      %c = arith.constant 2 : index
      %0 = arith.floordivsi %c, %c : index
      "test.use"(%0) : (index) -> ()
      return
    }
    func.func @saturate_1(%x: memref<1xi32>) {
      %c = arith.constant 7 : i32
      %0 = llvm.call_intrinsic "llvm.arm.ssat"(%c, %c) : (i32, i32) -> i32
      "test.use"(%0) : (i32) -> ()
      return
    }
    func.func @saturate_2(%x: memref<1xi32>) {
      %c = arith.constant 8 : i32
      %0 = llvm.call_intrinsic "llvm.arm.ssat"(%c, %c) : (i32, i32) -> i32
      "test.use"(%0) : (i32) -> ()
      return
    }
    func.func @real_1(%x: memref<1xi32>) {
      %c = arith.constant 1.0 : f32
      "test.use"(%c) : (f32) -> ()
      return
    }
    func.func @real_2(%x: memref<1xi32>) {
      %c = arith.constant 2.0 : f32
      "test.use"(%c) : (f32) -> ()
      return
    }
    func.func @add(%x: memref<1xi32>) {
      %c = arith.constant 1 : i32
      %0 = arith.addi %c, %c : i32
      "test.use"(%0) : (i32) -> ()
      return
    }
    func.func @multiply(%x: memref<1xi32>) {
      %c = arith.constant 1 : i32
      %0 = arith.muli %c, %c : i32
      "test.use"(%0) : (i32) -> ()
      return
    }
    func.func @bytes(%x: memref<8xi8>) {
      return
    }
    func.func @words(%x: memref<8xi32>) {
      return
    }
    func.func private @part_1(%x: memref<1xi8>) {
      return
    }
    func.func private @part_2(%x: memref<2xi8>) {
      return
    }
    func.func @caller_1(%x: memref<1xi8>) {
      call @part_1(%x) : (memref<1xi8>) -> ()
      return
    }
    func.func @caller_2(%x: memref<2xi8>) {
      call @part_2(%x) : (memref<2xi8>) -> ()
      return
    }
  }
}
